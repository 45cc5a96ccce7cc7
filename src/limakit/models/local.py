"""A Hugging Face causal LM from a folder, as a Sampler: the tuned checkpoint, the base model, or any other.

How each is asked is `layouts`' business. The end-of-sequence token ends everybody's answer, since what follows it
belongs to another document.
"""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from limakit.errors import ModelError
from limakit.models.chat import start_ids
from limakit.models.hub import check_folder
from limakit.models.layouts import Kind, Layout, layout
from limakit.models.local_check import check, reference_logits
from limakit.models.local_decode import Decoder, Job
from limakit.models.local_text import open_model, open_tokenizer
from limakit.models.sampler import Answer, Request, stream_key
from limakit.recipe import Generate

_LOG = logging.getLogger("limakit")


class LocalSampler:
    """Answers with one model, many prompts side by side. Make one with `load_system`."""

    def __init__(self, decoder: Decoder, tokenizer: Any, layout: Layout, context: int):
        self._decoder, self._tokenizer, self._layout, self._context = decoder, tokenizer, layout, context
        self._start = start_ids(tokenizer)

    def answer(self, requests: Sequence[Request], settings: Generate, seed: int) -> Iterator[tuple[int, Answer]]:
        """Yield (index of the request, its answer) as they finish.

        Half of the model's context, or `max_new_tokens` where that is less, is kept for the answer. A prompt that does
        not fit beside it loses its beginning; how many tokens is said in `Answer.trimmed`. An answer ends at the
        model's context at the latest. Where memory runs out, the answers that are left are begun anew in half as many
        slots. Raises ModelError where the model's output is not finite, or one answer at a time does not fit.
        """
        planned = [self._plan(request, settings, seed) for request in requests]
        left, slots = list(range(len(planned))), min(settings.slots, len(planned))
        while left:
            begun, waiting = settings.model_copy(update={"slots": slots}), list(left)
            try:
                for place, ids, stopped in self._decoder.run([planned[index][0] for index in waiting], begun):
                    left.remove(waiting[place])
                    yield waiting[place], self._finished(ids, stopped, planned[waiting[place]][1])
                return
            except torch.OutOfMemoryError:
                pass  # let go of here: its traceback holds the cache
            if slots == 1:
                raise ModelError("out of memory with one answer at a time", fix="Lower the longest answer.")
            slots //= 2
            torch.cuda.empty_cache()
            _LOG.warning(f"out of memory, going on with {slots} answers at once; generate.slots = {slots} begins so")

    def stream(self, request: Request, settings: Generate, seed: int) -> Generator[str, None, Answer]:
        """Yield one answer piece by piece and return it whole: the same answer that `answer` gives to the request."""
        job, trimmed = self._plan(request, settings, seed)
        ids: list[int] = []
        said = ""
        for token in self._decoder.stream(job, settings):
            ids.append(token)
            sure = self._sure(self._text(ids))
            if len(sure) > len(said) and sure.startswith(said):
                yield sure[len(said) :]
                said = sure
        answer = self._finished(ids, self._decoder.stops(ids), trimmed)
        if answer.text.startswith(said) and answer.text != said:
            yield answer.text[len(said) :]
        return answer

    def _plan(self, request: Request, settings: Generate, seed: int) -> tuple[Job, int]:
        """What is to be decoded for a request, and how many tokens of its prompt did not fit."""
        room = self._context - min(settings.max_new_tokens, self._context // 2)
        ids = self._layout.prompt(request.prompt.messages)
        kept = ids if len(ids) <= room else self._start + ids[len(ids) - room + len(self._start) :]
        limit = min(settings.max_new_tokens, self._context - len(kept))
        return Job(kept, limit, stream_key(seed, request.prompt.id, request.sample)), len(ids) - len(kept)

    def _finished(self, ids: list[int], stopped: bool, trimmed: int) -> Answer:
        text = self._text(ids)
        return Answer(text=text, finish="eot" if stopped else "length", tokens=len(ids), trimmed=trimmed)

    def _text(self, ids: list[int]) -> str:
        """What the ids say, without what ended them."""
        kept = ids[:-1] if ids[-1] in self._layout.stop_ids else ids
        text = self._tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        stop = self._layout.stop_text
        return text.split(stop, 1)[0].rstrip() if stop and stop in text else text

    def _sure(self, text: str) -> str:
        """The part of an unfinished text that no further token takes back: neither half a character, nor what may
        become the text that ends an answer, with the space before it."""
        text, stop = text.rstrip("\ufffd"), self._layout.stop_text
        size = next((n for n in range(len(stop), 0, -1) if text.endswith(stop[:n])), 0)
        return text[: len(text) - size].rstrip() if stop else text


def load_system(folder: Path, kind: Kind) -> LocalSampler:
    """Open a model folder as a system of some kind: a checkpoint of `limakit train` for `tuned`, a base model for
    `base` and `few_shot`, any causal language model for `folder`.

    On a GPU where there is one, in bf16, else in fp32. Only safetensors are read and no code of the model is run.
    Raises ModelError where the folder is damaged, the tokenizer has no EOT although `tuned` was asked for, or the
    family cannot be decoded rightly (`local_check`).
    """
    model, tokenizer = load(check_folder(folder))
    form = layout(kind, tokenizer, eos_ids(model, tokenizer))
    ids, wanted = reference_logits(model)
    decoder = Decoder(model, form.stop_ids, _reads(tokenizer, form.stop_text) if form.stop_text else None)
    check(decoder, model, ids, wanted)
    return LocalSampler(decoder, tokenizer, form, context_length(model.config))


def _reads(tokenizer: Any, text: str) -> Callable[[list[int]], bool]:
    """Whether the last ids say `text`. No token is less than a byte, so as many ids as it has bytes are enough."""
    size = len(text.encode()) + 1
    return lambda ids: text in tokenizer.decode(ids[-size:], clean_up_tokenization_spaces=False)


def load(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer of a checked folder, in evaluation mode. Raises ModelError where they cannot be opened."""
    gpu = torch.cuda.is_available()
    model = open_model(folder, dtype=torch.bfloat16 if gpu else torch.float32)
    return model.to("cuda" if gpu else "cpu").eval(), open_tokenizer(folder, model)


def eos_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Every id that ends a text by the tokenizer or the generation config, which may list several."""
    listed = model.generation_config.eos_token_id
    listed = listed if isinstance(listed, list) else [listed]
    return frozenset(i for i in [*listed, tokenizer.eos_token_id] if i is not None)


def context_length(config: Any) -> int:
    """Most tokens the model can look at. Where its rotary embedding changes with the longest text in the batch
    (LongRoPE), that is the length up to which it does not, so that answers do not depend on their neighbours."""
    rope = getattr(config, "rope_parameters", None) or {}
    limits = [config.max_position_embeddings]
    if rope.get("rope_type") == "longrope":
        limits.append(rope["original_max_position_embeddings"])
    return min(limits)
