"""From the recipe's `[base]` to a checked folder on this machine. Imports no torch.

Files from hubs are hostile: only safetensors, JSON and tokenizer files are taken, from one pinned commit, and code that
comes with a model is never run.
"""

import re
from pathlib import Path

import orjson

from limakit.errors import InputError, MissingExtra, ModelError
from limakit.recipe import Base
from limakit.store import files

EMBEDDED = Path(__file__).resolve().parent.parent / "starter" / "model"

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_WANTED = ["*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer*.json"]
_WANTED += ["special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model", "*.jinja"]
_UNWANTED = ["*/*", "consolidated*"]
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")


def resolve_base(base: Base, study_root: Path) -> Path:
    """The folder with the base model's weights, configuration and tokenizer.

    `embedded` is the model that comes with limakit. A folder is taken relative to `study_root`; `~` is the home folder.
    Anything else that looks like a hub name is fetched once, at the commit the recipe pins, and found in the local
    cache afterwards, also offline. Raises ModelError with one clear line where that cannot be done, MissingExtra where
    the hub client is not installed.
    """
    if base.model == "embedded":
        return check_folder(EMBEDDED)
    folder = study_root / Path(base.model).expanduser()
    if folder.is_dir():
        return check_folder(folder)
    return check_folder(_fetch(*_hub_name(base, study_root), _WANTED))


def resolve_config(base: Base, study_root: Path) -> Path:
    """The folder with the base model's config.json; its weights need not be there, and are not fetched.

    Raises as `resolve_base` does.
    """
    folder = EMBEDDED if base.model == "embedded" else study_root / Path(base.model).expanduser()
    if not folder.is_dir():
        folder = _fetch(*_hub_name(base, study_root), ["config.json"])
    if not (folder / "config.json").is_file():
        raise ModelError("not a model folder: it has no config.json", where=folder, fix=_instead(folder))
    return folder


def config_of(name: str, revision: str) -> Path:
    """The folder with the config.json of a hub model that belongs to no study, at a branch, tag or commit: nothing is
    run or trained from it, so it need not be pinned. Raises ModelError and MissingExtra."""
    if not _HUB_NAME.fullmatch(name):
        raise ModelError("neither a study, nor a model folder, nor the name of a hub model", where=name)
    return _fetch(name, revision, ["config.json"], "Go online once, or give the folder of a study or model.")


def check_folder(folder: Path) -> Path:
    """The same folder, if it holds what a causal language model needs: config.json, tokenizer, whole safetensors.

    Raises ModelError naming the first thing that is missing or damaged. Weights are looked at by name and header
    length only.
    """
    if not folder.is_dir():
        raise ModelError("no such model folder", where=folder, fix="Name one that is there.")
    if not (folder / "config.json").is_file():
        raise ModelError("not a model folder: it has no config.json", where=folder, fix=_instead(folder))
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise ModelError("the model folder has no tokenizer", where=folder, fix="Put its tokenizer.json there.")
    for name in _weight_files(folder):
        _check_weights(folder / name)
    return folder


def _weight_files(folder: Path) -> list[str]:
    """Names of the safetensors files that together hold the weights."""
    if (folder / "model.safetensors").is_file():
        return ["model.safetensors"]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            return sorted(set(files.read_json(index)["weight_map"].values()))
        except (InputError, KeyError, TypeError, AttributeError):
            raise ModelError("not an index of safetensors files", where=index) from None
    if any(any(folder.glob(pattern)) for pattern in _PICKLES):
        raise ModelError(
            "the weights are there only as pickles, which can run code",
            where=folder,
            fix="Convert them to safetensors, or take a revision that has them.",
        )
    raise ModelError("the model folder has no model.safetensors", where=folder, fix=_instead(folder))


def _instead(folder: Path) -> str:
    """What to do about a folder that lacks a model's files."""
    if (folder / "adapter_config.json").is_file():
        return "It holds an adapter: merge it into its base (peft's merge_and_unload), save that, and name its folder."
    if any(folder.glob("*.gguf")):
        return (
            "It holds GGUF: take the Hugging Face folder that it was made from, or serve it with llama.cpp and name "
            "the server as a system of kind 'endpoint'."
        )
    return "Name a folder with config.json, tokenizer.json and model.safetensors, or its parts with their index."


def _check_weights(path: Path) -> None:
    """Raise ModelError where a safetensors file is missing, a git-lfs pointer, or not as long as its header says.

    Layout: 8 bytes, the header's length n; n bytes of JSON; the tensors (https://github.com/huggingface/safetensors).
    """
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = orjson.loads(file.read(length)) if 8 + length <= size else {}
        end = max(value["data_offsets"][1] for key, value in header.items() if key != "__metadata__")
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}", where=path) from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        length, end, size = 0, 0, 0
    if size != 8 + length + end:
        raise ModelError("not a whole safetensors file", where=path, fix="Fetch or copy the model again.")


def _hub_name(base: Base, study_root: Path) -> tuple[str, str]:
    """Name and commit of a base model that is no folder here. Raises ModelError."""
    if not _HUB_NAME.fullmatch(base.model):
        where = study_root / Path(base.model).expanduser()
        raise ModelError("no such model folder", where=where, fix="Mend base.model in recipe.toml.")
    if base.revision is None or not _COMMIT.fullmatch(base.revision):
        raise ModelError(
            f"base.model {base.model!r} is no folder here, and as a hub name it needs its commit",
            where=study_root / "recipe.toml",
            fix="Set base.revision to the full commit hash (40 letters and digits), or base.model to a folder.",
        )
    return base.model, base.revision


def _fetch(
    name: str, revision: str, wanted: list[str], offline: str = "Go online once, or set base.model to a folder."
) -> Path:
    """Download files of one revision of a hub model into the local cache, or find it there. Raises ModelError, whose
    remedy is `offline` where there is neither."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise MissingExtra(f"fetching {name!r} needs the Hugging Face hub client", "train") from None
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted, ignore_patterns=_UNWANTED))
    except LocalEntryNotFoundError:
        raise ModelError(
            f"the hub cannot be reached and revision {revision[:12]} is not in the local cache", where=name, fix=offline
        ) from None
    except HFValidationError:
        raise ModelError("not a valid hub name", where=name, fix="Mend base.model in recipe.toml.") from None
    except (HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"the hub did not give it at revision {revision[:12]}: {error}",
            where=name,
            fix="Check name and revision; for a gated model, log in with: hf auth login.",
        ) from None
