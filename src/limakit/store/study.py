"""A study's folder: its recipe, its lock, and stages that publish whole or not at all.

A stage works in `.work/<stage>-<fingerprint>` and is moved into place in one rename once its manifest is written. The
fingerprint covers the settings the stage reads, the bytes of its inputs and the source of the code that does the work,
so a stage that has nothing new to do is recognised, and a killed one finds its work folder again.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from limakit.errors import InputError, StudyError, typed
from limakit.recipe import Recipe, load_recipe
from limakit.store import files

MANIFEST = "manifest.json"
PEOPLE_DB = "people.db"
"""File with what people did, opened by `store/people.py`; named here, where no SQL library is imported."""
_FINGERPRINT = re.compile(r"[0-9a-f]{16}(\.old)?$")
PACKAGE = Path(__file__).resolve().parent.parent


class Study:
    """A folder with one `recipe.toml`."""

    def __init__(self, root: Path, lenders: Sequence[Path] = (), again: str | None = None):
        """`lenders` are studies of which a finished stage is copied where it is what this one would come to; `again` is
        the command that does the stages of this one, where it is part of another."""
        self.root, self.lenders, self.again = root, lenders, again
        self._hashes = HashCache(root / ".cache" / "hashes.json")

    @property
    def name(self) -> str:
        """The study's name is its folder's."""
        return self.root.resolve().name

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe as read now. Raises RecipeError."""
        if self.root.is_file():
            raise StudyError("is a file", where=self.root, fix="Name the study's folder, which holds its recipe.toml.")
        if not self.root.is_dir():
            raise StudyError("no such study", where=self.root, fix=f"Start one with: limakit new {typed(self.root)}")
        return load_recipe(self.root / "recipe.toml")

    def path(self, *parts: str) -> Path:
        """A path inside the study."""
        return self.root.joinpath(*parts)

    def resolve(self, text: str) -> Path:
        """A path from the recipe: absolute, or relative to the study folder; `~` is the home folder."""
        return self.root / Path(text).expanduser()

    def manifest(self, stage: str) -> dict[str, Any] | None:
        """Manifest of a finished stage, or None."""
        path = self.root / stage / MANIFEST
        return files.read_json(path) if path.exists() else None

    def drop(self, name: str) -> bool:
        """Remove a stage, or a file of one, for good. False where it is not there."""
        path = self.root / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        else:
            return False
        files.sync_folder(path.parent)
        return True

    def clear_shelf(self) -> None:
        """Remove what unfinished stages have left."""
        self.drop(".work")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the study for one process. Raises StudyError at once when another process holds it."""
        with open(self.root / ".lock", "a+b") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.seek(0)
                holder = handle.read().decode() or "unknown"
                raise StudyError(
                    f"another limakit (process {holder}) is working on this study",
                    where=self.root,
                    fix="Wait for it to end, then run the same command.",
                ) from None
            handle.truncate(0)
            handle.write(str(os.getpid()).encode())
            handle.flush()
            yield

    def digest(self, inputs: Mapping[str, Path]) -> str:
        """One digest of files under names that do not depend on where they lie. Raises InputError where one cannot be
        read."""
        found = {name: self._hashes.of(path) for name, path in sorted(inputs.items())}
        self._hashes.save()
        return hashlib.sha256(orjson.dumps(found)).hexdigest()

    def begin(
        self, stage: str, *, settings: Mapping[str, Any], inputs: Mapping[str, Path], code: Sequence[str]
    ) -> "Work":
        """Prepare a stage. `inputs` maps a name that does not depend on where things lie to a file;
        `code` names the packages and modules of limakit that decide its result. Call with the lock held."""
        described = {
            "stage": stage,
            "settings": dict(settings),
            "inputs": {name: self._hashes.of(path) for name, path in sorted(inputs.items())},
            "code": code_digest(code),
        }
        self._hashes.save()
        digest = hashlib.sha256(orjson.dumps(described, option=orjson.OPT_SORT_KEYS)).hexdigest()
        return Work(self, stage, digest, described)


class Work:
    """One stage being done, or found done."""

    def __init__(self, study: Study, stage: str, fingerprint: str, described: dict[str, Any]):
        self.stage, self.fingerprint, self._described = stage, fingerprint, described
        self.final = study.root / stage
        self._shelf = study.root / ".work"
        prefix = stage.replace("/", "-")
        self.folder = self._shelf / f"{prefix}-{fingerprint[:16]}"
        if (self.folder / MANIFEST).exists():
            self._swap()
        for old in sorted(self._shelf.glob(f"{prefix}-*")):
            if not _FINGERPRINT.match(old.name.removeprefix(f"{prefix}-")):
                continue
            if old.name.endswith(".old") and not self.final.exists():
                old.rename(self.final)
            elif old != self.folder:
                shutil.rmtree(old)
        published = study.manifest(stage)
        self.done = published is not None and published["fingerprint"] == fingerprint and self._intact(published)
        if not self.done:
            published = next((lent for folder in study.lenders if (lent := self._borrow(folder / stage))), None)
            self.done = published is not None
        self.manifest: dict[str, Any] = published if self.done and published else {}
        if not self.done:
            self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, *parts: str) -> Path:
        """A path inside the folder being written."""
        return self.folder.joinpath(*parts)

    def discard(self, *parts: str) -> None:
        """Remove a scratch file or folder that must not be published."""
        path = self.folder.joinpath(*parts)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def publish(self, counts: Mapping[str, Any], extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write the manifest, last, and move the folder into place. Returns the manifest."""
        outputs = {}
        for path in sorted(p for p in self.folder.rglob("*") if p.is_file()):
            if path.name.startswith(".") and path.name.endswith(".tmp"):
                path.unlink()
            elif path.name != MANIFEST:
                name = path.relative_to(self.folder).as_posix()
                outputs[name] = {"bytes": path.stat().st_size, "sha256": files.sha256(path)}
        self.manifest = {
            **self._described,
            "fingerprint": self.fingerprint,
            "outputs": outputs,
            "counts": dict(counts),
            "versions": versions(),
            **(extra or {}),
        }
        files.publish_json(self.folder / MANIFEST, self.manifest)
        self._swap()
        self.done = True
        return self.manifest

    def _swap(self) -> None:
        """Put the finished folder in place of the old one. A kill between the renames is mended by the next run."""
        self.final.parent.mkdir(parents=True, exist_ok=True)
        old = self._shelf / f"{self.folder.name}.old"
        if old.exists():
            shutil.rmtree(old)
        if self.final.exists():
            self.final.rename(old)
        self.folder.rename(self.final)
        files.sync_folder(self.final.parent)
        if old.exists():
            shutil.rmtree(old)

    def _borrow(self, lender: Path) -> dict[str, Any] | None:
        """Copy another study's stage if it has this fingerprint and the bytes it was published with. Weights are
        linked, not copied: nothing writes to them again."""
        manifest = lender / MANIFEST
        if not manifest.is_file() or lender == self.final:
            return None
        lent = files.read_json(manifest)
        if lent.get("fingerprint") != self.fingerprint:
            return None
        sums = {lender / name: output["sha256"] for name, output in lent["outputs"].items()}
        if not all(path.is_file() and files.sha256(path) == wanted for path, wanted in sums.items()):
            return None
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in lent["outputs"]:
            files.copy(lender / name, self.folder / name, link=name.endswith(".safetensors"))
        files.publish_json(self.folder / MANIFEST, lent)
        self._swap()
        return lent

    def _intact(self, manifest: dict[str, Any]) -> bool:
        """Whether every output is there. Their bytes are checked by the stage that reads them."""
        return all((self.final / name).is_file() for name in manifest["outputs"])


class HashCache:
    """SHA-256 of files, remembered by path, size and modification time. Losing it costs only time."""

    def __init__(self, path: Path):
        self._path = path
        try:
            self._known: dict[str, list[Any]] = files.read_json(path)
        except (OSError, InputError):  # not there, or the study is none: told where it matters
            self._known = {}
        self._fresh = False

    def of(self, path: Path) -> str:
        """Digest of the file's bytes. Raises InputError where it cannot be read."""
        try:
            stat = path.stat()
            key, stamp = str(path.resolve()), [stat.st_size, stat.st_mtime_ns]
            known = self._known.get(key)
            if known is None or known[:2] != stamp:
                known = self._known[key] = [*stamp, files.sha256(path)]
                self._fresh = True
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=path) from None
        return known[2]

    def save(self) -> None:
        """Write the cache where it changed."""
        if self._fresh:
            files.publish_json(self._path, self._known)
            self._fresh = False


def code_digest(names: Sequence[str]) -> str:
    """Digest of the files of the named packages and modules of limakit, for example `curate`, `records.py`."""
    digest = hashlib.sha256()
    for name in sorted(names):
        place = PACKAGE / name
        found = sorted(path for path in place.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        for path in found if place.is_dir() else [place]:
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


_VERSIONED = (
    "limakit",
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "orjson",
)
_VERSIONED += ("html-to-markdown", "markdown-it-py", "nh3", "matplotlib")


def versions() -> dict[str, str]:
    """Versions that a result may depend on."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
