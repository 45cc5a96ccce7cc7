"""`limakit doctor`: what is installed, what is missing, what to do."""

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Literal

from limakit.cli import serving
from limakit.errors import LimakitError, typed
from limakit.pipeline import model_export, model_judging
from limakit.pipeline.giving import file_of
from limakit.recipe_judges import LocalJudge
from limakit.store.study import Study

OPTIONAL = {
    "torch": ("training and generation", "limakit[train]"),
    "transformers": ("training and generation", "limakit[train]"),
    "tokenizers": ("training and generation", "limakit[train]"),
    "safetensors": ("training and generation", "limakit[train]"),
}


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    state: Literal["ok", "note", "missing"]
    detail: str
    fix: str = ""

    def line(self) -> str:
        """The finding for people."""
        mark = {"ok": "✓", "note": "·", "missing": "✗"}[self.state]
        return f"{mark} {self.name}: {self.detail}" + (f". {self.fix}" if self.fix else "")

    def data(self) -> dict[str, Any]:
        """The finding for machines."""
        return asdict(self)


def checks(study: Path | None) -> list[Check]:
    """Everything worth knowing before a run; `study` adds the state of one study."""
    found = [Check("python", "ok", f"{platform.python_version()} at {sys.executable}"), _cores(), _disk(study)]
    found += [_package(name, *why, needed=_learns(study)) for name, why in OPTIONAL.items()]
    found += [_archives(), _gpu(), _embedded(), _server(), _gguf()]
    return found + (_study(study) if study else [])


def _learns(study: Path | None) -> bool:
    """Whether anything is to be trained; taken to be so where there is no study, or none that can be read."""
    try:
        return study is None or Study(study).recipe.learns
    except LimakitError:
        return True


def _package(name: str, use: str, extra: str, *, needed: bool) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        state = "missing" if needed else "note"
        return Check(name, state, f"not installed, {use} needs it", f"pip install '{extra}'")


def _cores() -> Check:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return Check("machine", "ok", f"{len(os.sched_getaffinity(0))} cores, {pages:.0f} GiB of memory")


def _disk(study: Path | None) -> Check:
    place = study if study and study.exists() else Path.cwd()
    free = shutil.disk_usage(place).free / 2**30
    state, fix = ("ok", "") if free > 5 else ("note", "A checkpoint needs the size of the model, an epoch each.")
    return Check("disk", state, f"{free:.0f} GiB free at {place}", fix)


def _archives() -> Check:
    tool = next((name for name in ("7zz", "7z", "7za") if shutil.which(name)), None)
    if tool:
        return Check("7z archives", "ok", f"read through {tool}")
    try:
        return Check("7z archives", "ok", f"read through py7zr {metadata.version('py7zr')}; the system's 7zz is faster")
    except metadata.PackageNotFoundError:
        return Check("7z archives", "note", "cannot be read", "Install 7zip, or: pip install 'limakit[7z]'")


def _gpu() -> Check:
    if shutil.which("nvidia-smi"):
        return Check("gpu", "ok", "an NVIDIA driver is installed")
    return Check("gpu", "note", "none found; small models train on the CPU")


def _embedded() -> Check:
    model = resources.files("limakit") / "starter" / "model" / "model.safetensors"
    if model.is_file():
        return Check("embedded base model", "ok", "present")
    return Check("embedded base model", "missing", "not in this installation", "Reinstall limakit.")


def _server() -> Check:
    try:
        serving.command(Path(), "127.0.0.1", 8000)
        return Check("model server", "ok", "limakit serve can hand over to one")
    except LimakitError as error:
        return Check("model server", "note", f"{error.what}, limakit serve needs one", error.fix or "")


def _gguf() -> Check:
    try:
        return Check("GGUF converter", "ok", model_export.converter())
    except LimakitError as error:
        return Check("GGUF converter", "note", error.what, error.fix or "")


def _local_judge(study: Study, judge: LocalJudge) -> Check:
    try:
        model_judging.brought(study, judge)
    except LimakitError as error:
        return Check(f"judge {judge.name}", "missing", error.what, error.fix or "")
    return Check(f"judge {judge.name}", "ok", judge.model)


def _study(folder: Path) -> list[Check]:
    from limakit.pipeline.sourcing import place

    study = Study(folder)
    try:
        recipe = study.recipe
    except LimakitError as error:
        return [Check("study", "missing", str(error))]
    found = [Check("recipe", "ok", f"{study.path('recipe.toml')}")]
    for source in recipe.sources:
        path = place(study, source)
        if not path.exists():
            fix = f"Put the data there or change sources.path in {study.path('recipe.toml')}"
            found.append(Check("source", "missing", f"{path} does not exist", fix))
    for name in recipe.generate.systems:
        path = file_of(study, name)
        if path is not None and not path.is_file():
            fix = f"Put the answers there or change systems.{name}.answers in {study.path('recipe.toml')}"
            found.append(Check(f"system {name}", "missing", f"{path} does not exist", fix))
    for judge in recipe.judges:
        if isinstance(judge, LocalJudge):
            found.append(_local_judge(study, judge))
        elif judge.key_env and not os.environ.get(judge.key_env):
            fix = f"Before judging: export {judge.key_env}=…"
            found.append(Check(f"judge {judge.name}", "missing", f"{judge.key_env} is not in the environment", fix))
    for name, system in recipe.systems.items():
        key = system.endpoint.key_env if system.endpoint else None
        if key and not os.environ.get(key):
            fix = f"Before generating: export {key}=…"
            found.append(Check(f"system {name}", "missing", f"{key} is not in the environment", fix))
    stages = sorted(p.parent.relative_to(folder).as_posix() for p in folder.glob("*/**/manifest.json"))
    finished = [stage for stage in stages if not stage.startswith(".")]
    found.append(Check("finished stages", "ok", ", ".join(finished) or "none yet", f"limakit run {typed(folder)}"))
    return found
