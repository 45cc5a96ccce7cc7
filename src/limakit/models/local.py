"""A Hugging Face causal LM from a folder, as a Sampler: the tuned checkpoint, or the plain base model.

A tuned model sees the dialogue as it was trained on (`chat.Chat`) and ends its turn with EOT. The base model knows no
turns: it continues the text of the dialogue, each utterance followed by a blank line. The end-of-sequence token ends
either one's answer as well, since what follows it belongs to another document.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from limakit.errors import ModelError
from limakit.models.chat import Chat, encode, start_ids
from limakit.models.hub import check_folder
from limakit.models.local_check import check, reference_logits
from limakit.models.local_decode import Decoder, Job
from limakit.models.sampler import Answer, Request, stream_key
from limakit.recipe import Generate
from limakit.records import Turn

DAMAGES = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError)
DAMAGES += (ArithmeticError, SafetensorError, StrictDataclassError)
"""What transformers raises for a folder that it cannot make a model of."""


class LocalSampler:
    """Answers with one model, many prompts side by side. Make one with `load_system`."""

    def __init__(self, decoder: Decoder, tokenizer: Any, render: Callable[[Sequence[Turn]], list[int]], context: int):
        self._decoder, self._tokenizer, self._render, self._context = decoder, tokenizer, render, context
        self._start = start_ids(tokenizer)

    def answer(self, requests: Sequence[Request], settings: Generate, seed: int) -> Iterator[tuple[int, Answer]]:
        """Yield (index of the request, its answer) as they finish.

        Half of the model's context, or `max_new_tokens` where that is less, is kept for the answer. A prompt that does
        not fit beside it loses its beginning; how many tokens is said in `Answer.trimmed`. An answer ends at the
        model's context at the latest. Raises ModelError where the model's output is not finite.
        """
        room = self._context - min(settings.max_new_tokens, self._context // 2)
        rendered = [self._render(request.prompt.messages) for request in requests]
        jobs = []
        for request, ids in zip(requests, rendered, strict=True):
            kept = ids if len(ids) <= room else self._start + ids[len(ids) - room + len(self._start) :]
            limit = min(settings.max_new_tokens, self._context - len(kept))
            jobs.append(Job(kept, limit, stream_key(seed, request.prompt.id, request.sample)))
        for index, ids, stopped in self._decoder.run(jobs, settings):
            yield (
                index,
                Answer(
                    text=self._tokenizer.decode(
                        ids[:-1] if stopped else ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
                    ),
                    finish="eot" if stopped else "length",
                    tokens=len(ids),
                    trimmed=len(rendered[index]) - len(jobs[index].ids),
                ),
            )


def load_system(folder: Path, system: Literal["tuned", "base"]) -> LocalSampler:
    """Open a checkpoint of `limakit train` (`tuned`) or a plain model folder (`base`).

    On a GPU where there is one, in bf16, else in fp32. Only safetensors are read and no code of the model is run.
    Raises ModelError where the folder is damaged, the tokenizer has no EOT although `tuned` was asked for, or the
    family cannot be decoded rightly (`local_check`).
    """
    model, tokenizer = _load(check_folder(folder))
    stop_ids = _eos_ids(model, tokenizer)
    if system == "tuned":
        chat = Chat(tokenizer)
        stop_ids |= {chat.eot_id}
        render = chat.prompt
    else:

        def render(messages: Sequence[Turn]) -> list[int]:
            text = "".join(f"{turn.content}\n\n" for turn in messages)
            return [*start_ids(tokenizer), *encode(tokenizer, text)]

    ids, wanted = reference_logits(model)
    decoder = Decoder(model, stop_ids)
    check(decoder, model, ids, wanted)
    return LocalSampler(decoder, tokenizer, render, _context(model.config.get_text_config()))


def _load(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer; transformers' own bars and warnings stay silent, what matters is checked here."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    gpu = torch.cuda.is_available()
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.bfloat16 if gpu else torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        model, report = loaded
    except DAMAGES as error:
        raise ModelError(f"cannot be opened as a causal language model: {error}", where=folder) from None
    for what in ("missing_keys", "mismatched_keys"):
        if report[what]:
            names = ", ".join(sorted(map(str, report[what]))[:3])
            raise ModelError(f"{len(report[what])} weights {what[:-5]} ({names})", where=folder)
    return model.to("cuda" if gpu else "cpu").eval(), tokenizer


def _eos_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Every id that ends a text by the tokenizer or the generation config, which may list several."""
    listed = model.generation_config.eos_token_id
    listed = listed if isinstance(listed, list) else [listed]
    return frozenset(i for i in [*listed, tokenizer.eos_token_id] if i is not None)


def _context(config: Any) -> int:
    """Most tokens the model can look at. Where its rotary embedding changes with the longest text in the batch
    (LongRoPE), that is the length up to which it does not, so that answers do not depend on their neighbours."""
    rope = getattr(config, "rope_parameters", None) or {}
    limits = [config.max_position_embeddings]
    if rope.get("rope_type") == "longrope":
        limits.append(rope["original_max_position_embeddings"])
    return min(limits)
