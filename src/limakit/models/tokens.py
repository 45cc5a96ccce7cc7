"""How many tokens a text is, by the base model's tokenizer, where that lies at hand: nothing is fetched to count."""

from collections.abc import Callable, Sequence
from pathlib import Path

from limakit.errors import ModelError
from limakit.models.hub import EMBEDDED
from limakit.recipe import Base

Count = Callable[[Sequence[str]], list[int]]
FILE = "tokenizer.json"


def tokenizer_file(base: Base, study_root: Path) -> Path | None:
    """The base model's tokenizer.json, where the base is embedded or a folder that has one; None otherwise.

    A model from the hub has none until it is fetched, and a result must not depend on whether that happened.
    """
    folder = EMBEDDED if base.model == "embedded" else study_root / Path(base.model).expanduser()
    return folder / FILE if (folder / FILE).is_file() else None


def counter(path: Path) -> Count | None:
    """A function from texts to their numbers of tokens, without BOS and EOT; None where `tokenizers` is not installed.

    Raises ModelError where the file is not a tokenizer.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return None
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        if type(error) is not Exception:  # what the Rust library raises for a damaged file, and nothing narrower
            raise
        raise ModelError(f"not a tokenizer: {error}", where=path, fix="Mend base.model in recipe.toml.") from None

    def count(texts: Sequence[str]) -> list[int]:
        return [len(found.ids) for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    return count
