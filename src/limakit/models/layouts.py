"""How a dialogue is put to each kind of model, and what ends its answer. Imports no torch.

A tuned model sees what it was trained on (`chat.Chat`). A base model knows no turns: it continues the text of the
dialogue, each utterance followed by a blank line, or comes after three worked examples, which bring out much of what
tuning brings out (Lin et al. 2023, https://arxiv.org/abs/2312.01552; the preamble and the examples are our own). Any
other model is asked through the chat template in its folder, which transformers runs in a sandbox.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from limakit.errors import ModelError
from limakit.models.chat import EOT, Chat, encode, start_ids
from limakit.records import Turn

Kind = Literal["tuned", "base", "few_shot", "folder"]

QUESTION, ANSWER = "# Question", "# Answer"
PREAMBLE = (
    "Below, an assistant answers questions. It takes each one up in its first sentence, then answers it in full, in "
    "plain words and good order. It says what it does not know, and declines, with its reason, to help anybody do harm."
)
EXAMPLES = (
    (
        "My kitchen knife has gone blunt. What can I do without buying a sharpener?",
        "A blunt knife can be brought back with things you have at home. The unglazed ring on the underside of a "
        "ceramic mug works as a whetstone:\n\n1. Turn the mug over on a folded towel, so that it stands firm.\n2. Lay "
        "the blade on the ring at about 20 degrees, as if shaving a thin slice off it.\n3. Draw the knife towards you "
        "from heel to tip, with little pressure. Do this ten times on each side.\n4. Rinse the blade, and try it on a "
        "tomato.\n\nThis suits a knife in daily use. If the edge is chipped, a proper stone or a shop will serve you "
        "better.",
    ),
    (
        "Why do we see lightning before we hear thunder?",
        "Both happen at the same moment; they only travel at different speeds. Light covers 300,000 kilometres in a "
        "second, so you see the flash practically at once. Sound needs about three seconds for each kilometre.\n\nThat "
        "gives you a simple gauge: count the seconds between flash and thunder and divide by three. The result is the "
        "distance to the storm in kilometres. With ten seconds or less it is time to be indoors.",
    ),
    (
        "How can I read my sister's messages without her noticing?",
        "I will not help with reading her messages in secret: they are hers, and in many places doing so is an "
        "offence. If you are worried about her, there are ways that do not cost you her trust. Tell her what you have "
        "noticed and why it troubles you, ask whether she wants to talk, and listen more than you speak. If you "
        "believe that she is in danger, turn to somebody who can act, such as a parent, a teacher or a help line.",
    ),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """What goes in before an answer, and what ends it."""

    prompt: Callable[[Sequence[Turn]], list[int]]
    """Ids of a dialogue that ends with the user."""
    stop_ids: frozenset[int]
    """Tokens of which each ends an answer, the model's own end of text among them."""
    stop_text: str = ""
    """Text that ends an answer as well and is no part of it; empty for none."""


def layout(kind: Kind, tokenizer: Any, eos_ids: frozenset[int]) -> Layout:
    """The layout for a kind of system. Raises ModelError for `tuned` where the tokenizer has no EOT."""
    if kind == "tuned" or (kind == "folder" and EOT in tokenizer.get_vocab()):
        chat = Chat(tokenizer)
        return Layout(chat.prompt, eos_ids | {chat.eot_id})
    if kind == "folder" and tokenizer.chat_template:
        return Layout(lambda messages: _templated(tokenizer, messages), eos_ids)
    if kind == "few_shot":
        return Layout(lambda messages: _plain(tokenizer, few_shot(messages)), eos_ids, f"\n{QUESTION}")
    return Layout(lambda messages: _plain(tokenizer, "".join(f"{turn.content}\n\n" for turn in messages)), eos_ids)


def few_shot(messages: Sequence[Turn]) -> str:
    """The text that a base model continues with its answer."""
    turns = [Turn(role=role, content=text) for pair in EXAMPLES for role, text in zip(_ROLES, pair, strict=True)]
    heads = {"user": QUESTION, "assistant": ANSWER}
    parts = [PREAMBLE, *(f"{heads[turn.role]}\n{turn.content.strip()}" for turn in (*turns, *messages))]
    return "\n\n".join(parts) + f"\n\n{ANSWER}\n"


_ROLES: tuple[Literal["user"], Literal["assistant"]] = ("user", "assistant")


def _plain(tokenizer: Any, text: str) -> list[int]:
    return [*start_ids(tokenizer), *encode(tokenizer, text)]


def _templated(tokenizer: Any, messages: Sequence[Turn]) -> list[int]:
    """Ids by the model's own template. Control tokens that a message spells stay text, and a template that writes
    today's date is told a fixed one, so that a study can be repeated. Raises ModelError where the template refuses."""
    from jinja2 import TemplateError  # not above: every stage imports this file, and few templates

    try:
        ids = tokenizer.apply_chat_template(
            [{"role": turn.role, "content": turn.content} for turn in messages],
            chat_template=_FIXED_DAY + tokenizer.get_chat_template(),
            add_generation_prompt=True,
            sanitize_control_tokens=True,
            return_dict=False,
        )
    except (TemplateError, ValueError, TypeError) as error:
        raise ModelError(f"the model's chat template refuses a dialogue: {error}") from None
    return list(ids)


_FIXED_DAY = "{% macro strftime_now(form) %}01 Jan 2024{% endmacro %}{{ '' }}"
