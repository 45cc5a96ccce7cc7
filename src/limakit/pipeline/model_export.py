"""A tuned checkpoint as a folder of its own, ready for vLLM and Hugging Face, or as one GGUF file for llama.cpp."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from limakit.errors import LimakitError, RecipeError, StudyError
from limakit.pipeline.outcome import need
from limakit.pipeline.systems import CHOICE, Found, Remote, find
from limakit.records import Example
from limakit.store import checkpoints, files
from limakit.store.files import read_json, read_jsonl
from limakit.store.study import MANIFEST, Study

Format = Literal["model", "gguf"]
CONVERTERS = ("convert_hf_to_gguf.py", "convert_hf_to_gguf", "convert-hf-to-gguf")
"""Names of llama.cpp's converter, as its packages install it."""
LAST_WORDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    folder: Path
    epoch: int
    difference: float
    """Largest difference of a logit between the export and the checkpoint, as a share of the largest logit."""
    gguf: Path | None = None


def export_model(study: Study, to: Path, form: Format, epoch: int | None = None) -> Exported:
    """Write the tuned model to the new or empty folder `to`: weights, tokenizer, chat template, generation config,
    model card, attribution and checksums; with `gguf` also `model.gguf`. It appears only once it was opened again and
    gave the same logits.

    Raises StudyError where `to` holds something or a stage is missing, ModelError where the export differs, and
    LimakitError where llama.cpp's converter is missing or fails.
    """
    name = study.recipe.compare.candidate
    system = find(study, name, epoch)
    if isinstance(system, Remote) or system.epoch is None:
        raise RecipeError(f"{name!r} is not a tuned system", fix="Set compare.candidate to one that is.")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise StudyError("there is something here already", where=to, fix="Choose a new or empty folder.")
    program = converter() if form == "gguf" else None
    attribution = need(study, "curate", "ATTRIBUTION.md")
    card = _card(study, system, by_hand=epoch is not None)
    config = _generation_config(study, system)
    differences: list[float] = []

    def fill(folder: Path) -> None:
        from limakit.models.local_export import check_export

        checkpoints.copy_files(system.folder, folder)
        files.publish_json(folder / "generation_config.json", config)
        files.publish_text(folder / "README.md", card)
        files.publish(folder / "ATTRIBUTION.md", attribution.read_bytes())
        differences.append(check_export(folder, system.folder))
        if program:
            _convert(program, folder)

    checkpoints.publish_folder(to, fill)
    gguf = to / "model.gguf" if program else None
    return Exported(folder=to, epoch=system.epoch, difference=differences[0], gguf=gguf)


def ready_to_serve(study: Study, system: Found) -> Path:
    """The folder to hand to a server: serve/<system>, where the files of a tuned checkpoint have second names and the
    generation config the recipe's sampling, since a server that finds none answers greedily. Other models, which have
    one of their own, stay where they are."""
    if system.kind != "tuned":
        return system.folder
    folder = study.path("serve", system.name)
    checkpoints.remove(folder)
    for path in sorted(system.folder.iterdir()):
        if path.name != checkpoints.CHECKSUMS:
            files.copy(path, folder / path.name, link=True)
    files.publish_json(folder / "generation_config.json", _generation_config(study, system))
    return folder


def format_named(name: str) -> Format:
    """The format of that name. Raises LimakitError where there is none."""
    for known in get_args(Format):
        if name == known:
            return known
    raise LimakitError(f"there is no format {name!r}", fix=f"Choose one of: {', '.join(get_args(Format))}.")


def _generation_config(study: Study, system: Found) -> dict[str, Any]:
    """The checkpoint's, with the recipe's sampling. No top-k, which Hugging Face sets to 50 unless told. No repetition
    penalty: servers apply it to the prompt too, and EOT is in every prompt, so answers would not end."""
    wanted = study.recipe.generate
    config = read_json(system.folder / "generation_config.json")
    config |= {"do_sample": wanted.temperature > 0, "max_new_tokens": wanted.max_new_tokens}
    if wanted.temperature > 0:
        config |= {"temperature": wanted.temperature, "top_p": wanted.top_p, "top_k": 0}
    return config


def _card(study: Study, system: Found, *, by_hand: bool) -> str:
    from limakit.report.model_card import Facts, model_card

    assert system.epoch is not None
    wanted = study.recipe.system(system.name).checkpoint or study.recipe.generate.checkpoint
    choice = study.path(*CHOICE)
    report = study.path("report", "report.json")
    found = read_json(report) if report.is_file() else None
    by = "person" if by_hand or isinstance(wanted, int) else wanted
    return model_card(
        Facts(
            study=study.name,
            recipe=study.recipe,
            epoch=system.epoch,
            chosen_by=by,
            examples=read_jsonl(need(study, "curate", "train.jsonl"), Example),
            run=read_json(need(study, "train/tuned", "run.json")),
            choice=read_json(choice) if choice.is_file() else None,
            report=found,
            report_is_of_it=found is not None and _is_about(study, system, found),
        )
    )


def _is_about(study: Study, system: Found, report: Mapping[str, Any]) -> bool:
    """Whether the report is of the answers that are there now, and those are of this checkpoint."""
    path = study.path(f"generate/{system.name}", MANIFEST)
    made = read_json(path) if path.is_file() else {}
    told = report["reproduce"]["stages"].get(f"generate/{system.name}", {})
    name = checkpoints.CHECKSUMS
    same = made.get("inputs", {}).get(f"model/{name}") == files.sha256(system.folder / name)
    return same and made.get("fingerprint") == told.get("fingerprint")


def converter() -> str:
    """Path of llama.cpp's converter. Raises LimakitError where it is not on PATH."""
    found = next((path for name in CONVERTERS if (path := shutil.which(name))), None)
    if found is None:
        raise LimakitError(
            "GGUF is written by llama.cpp's converter, which is not on PATH",
            fix=f"Get https://github.com/ggml-org/llama.cpp, put its {CONVERTERS[0]} on PATH, or use --format model.",
        )
    return found


def _convert(program: str, folder: Path) -> None:
    """Run the converter on a folder, which gets `model.gguf`. Raises LimakitError with its last line where it fails."""
    target = folder / "model.gguf"
    command = [program, str(folder), "--outfile", str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise LimakitError(f"cannot be run: {error.strerror}", where=program) from None
    if done.returncode or not target.is_file():
        said = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1][:LAST_WORDS]
        raise LimakitError(f"failed: {said}", where=program, fix="Use --format model, and convert by hand.")
