"""Prompts in, answers out: what every model looks like from above, whoever runs it. Imports no torch."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from limakit.recipe import Generate
from limakit.recipe_judges import SystemEndpoint
from limakit.records import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One answer wanted: the prompt and, where several are drawn for it, the number of this one."""

    prompt: Prompt
    sample: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for a request."""

    text: str
    finish: Literal["eot", "length"]
    tokens: int
    """Generated tokens, the one that ended the turn included."""
    trimmed: int = 0
    """Tokens of the prompt that the model was not shown, because its context is too short; 0 almost always."""


class Sampler(Protocol):
    """A model that answers. The answer to a request depends on the request, `settings` and `seed` alone."""

    def answer(self, requests: Sequence[Request], settings: Generate, seed: int) -> Iterator[tuple[int, Answer]]:
        """Yield (index of the request, its answer) once for every request, in the order in which they finish."""
        ...


class ScriptedSampler:
    """A sampler for tests: answers from a script, cut after `max_new_tokens` words."""

    def __init__(self, script: Mapping[str, str]):
        self._script = script

    def answer(self, requests: Sequence[Request], settings: Generate, seed: int) -> Iterator[tuple[int, Answer]]:
        """The script's text for each prompt id, the last request first. A word is a token, and so is the end."""
        for index in reversed(range(len(requests))):
            words = self._script[requests[index].prompt.id].split()
            whole = len(words) < settings.max_new_tokens
            kept = words[: settings.max_new_tokens]
            yield (
                index,
                Answer(
                    text=" ".join(kept), finish="eot" if whole else "length", tokens=len(kept) + (1 if whole else 0)
                ),
            )


def sampling(settings: Generate) -> str:
    """How an answer is drawn, in words: kept with every response, since no two programs mean the same by a penalty."""
    words = ["greedy"] if settings.temperature == 0 else [f"temperature {settings.temperature:g}"]
    if settings.temperature > 0 and settings.top_p < 1:
        words.append(f"top_p {settings.top_p:g}")
    if settings.repetition_penalty > 1:
        on = {"generated": "generated tokens", "hf": "prompt and generated tokens (hf)"}[settings.penalty_on]
        words.append(f"repetition_penalty {settings.repetition_penalty:g} on {on}")
    return ", ".join(words)


def remote_sampling(endpoint: SystemEndpoint) -> str:
    """What a server was told about drawing; the rest is its own."""
    told = endpoint.temperature
    words = ["the server's own temperature" if told == "default" else f"temperature {told:g}"]
    words += [] if endpoint.top_p is None else [f"top_p {endpoint.top_p:g}"]
    return ", ".join(words + [f"{name} {json.dumps(value)}" for name, value in sorted(endpoint.extra_body.items())])


def stream_key(seed: int, prompt_id: str, sample: int) -> int:
    """64 bits that name the stream of random numbers of one answer, the same on every machine."""
    text = f"{seed}\0{sample}\0{prompt_id}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def uniforms(keys: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1), float64: entry i is number `positions[i]` of stream `keys[i]` and depends on nothing else.

    Both arguments are uint64 arrays of one shape. Counter-based: the streams are SplitMix64 (Steele, Lea and Flood
    2014, https://doi.org/10.1145/2660193.2660195), which reaches any position without the ones before it.
    """
    mixed = keys + (positions + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53
