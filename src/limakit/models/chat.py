"""Turns into token ids and loss mask, for training and for generation. The only renderer.

The layout is the paper's (section 3): every utterance is followed by one end-of-turn token, EOT, that is neither EOS
nor padding; there are no role names. A dialogue is `[BOS] user EOT assistant EOT user EOT …`, with BOS where the base
model's tokenizer uses one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from limakit.errors import ModelError
from limakit.records import Turn

EOT = "<|eot|>"

_TEMPLATE = (
    "BOS{% for message in messages %}"
    "{% if message['role'] not in ['user', 'assistant'] %}"
    "{{ raise_exception('roles are user and assistant') }}{% endif %}"
    "SPACE{{ message['content'] }}" + EOT + "{% endfor %}"
)
_DIALOGUES = (
    (Turn(role="user", content="Why?\n"), Turn(role="assistant", content="Because  it rains.\n\n- so")),
    (
        Turn(role="user", content=" spaced "),
        Turn(role="assistant", content="ünïcode 1,234"),
        Turn(role="user", content="x"),
    ),
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """Token ids of a dialogue and, for each, whether it counts in the loss."""

    ids: list[int]
    mask: list[bool]
    trimmed: int
    """Tokens that did not fit."""


class Chat:
    """Renders dialogues for one tokenizer (a `transformers` fast tokenizer that knows EOT).

    Raises ModelError where the tokenizer has no EOT token: a base model gets it in `limakit train`.
    """

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        if EOT not in tokenizer.get_vocab():
            raise ModelError(f"the tokenizer has no {EOT} token", fix="Use a model that limakit train has written.")
        self.eot_id: int = tokenizer.convert_tokens_to_ids(EOT)
        self._start = start_ids(tokenizer)

    def render(self, messages: Sequence[Turn], *, max_tokens: int, loss_on: str = "response") -> Rendered:
        """Ids and loss mask of a whole dialogue, trimmed at its end to `max_tokens`.

        With `loss_on="response"` the assistant's text and the EOT after it count; with `"all"` everything but BOS.
        """
        ids, mask = list(self._start), [False] * len(self._start)
        for turn in messages:
            tokens = [*encode(self._tokenizer, turn.content), self.eot_id]
            ids += tokens
            mask += [turn.role == "assistant" or loss_on == "all"] * len(tokens)
        return Rendered(ids[:max_tokens], mask[:max_tokens], max(0, len(ids) - max_tokens))

    def prompt(self, messages: Sequence[Turn]) -> list[int]:
        """Ids of a dialogue that ends with the user: what a tuned model continues with its answer."""
        return self.render(messages, max_tokens=10**9).ids


def start_ids(tokenizer: Any) -> list[int]:
    """The ids with which this tokenizer begins a text: BOS where it adds one by itself, else nothing."""
    bos = tokenizer.bos_token_id
    return [bos] if bos is not None and tokenizer("a").input_ids[:1] == [bos] else []


def encode(tokenizer: Any, text: str) -> list[int]:
    """Ids of plain text. A text that spells a special token is encoded letter by letter, never as that token."""
    return tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)


def chat_template(tokenizer: Any) -> str:
    """A Jinja chat template with which `apply_chat_template` gives the ids that `Chat.render` gives.

    A template works on one long text, so two things differ from `Chat`: a message that spells a special token becomes
    that token, and tokenizers that put a space before a text do it once and not for every turn; for these the template
    writes it. Raises ModelError where neither form gives the same ids.
    """
    bos = "{{ bos_token }}" if start_ids(tokenizer) else ""
    for space in ("", "{{ '' if message['content'].startswith(' ') else ' ' }}"):
        template = _TEMPLATE.replace("BOS", bos).replace("SPACE", space)
        if all(_same(tokenizer, template, dialogue) for dialogue in _DIALOGUES):
            return template
    raise ModelError("no chat template gives this tokenizer's ids for a dialogue")


def _same(tokenizer: Any, template: str, dialogue: Sequence[Turn]) -> bool:
    """Whether the template renders a dialogue to the same ids as `Chat`."""
    messages = [{"role": turn.role, "content": turn.content} for turn in dialogue]
    ids = tokenizer.apply_chat_template(messages, chat_template=template, return_dict=False)
    return list(ids) == Chat(tokenizer).render(dialogue, max_tokens=10**9).ids
