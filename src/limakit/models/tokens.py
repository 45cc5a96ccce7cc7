"""How many tokens a text has by a model's tokenizer. Imports no torch and no transformers."""

from collections.abc import Callable, Sequence
from pathlib import Path

from limakit.errors import ModelError


def token_counter(folder: Path) -> Callable[[Sequence[str]], list[int]] | None:
    """A function from texts to their numbers of tokens, special ones not counted; None where the folder has no
    tokenizer.json or `tokenizers` is not installed. Raises ModelError where the file is damaged."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return None
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower for a damaged file
        raise ModelError(f"the tokenizer is damaged: {error}", where=path, fix="Fetch the model again.") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda texts: [len(found.ids) for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
