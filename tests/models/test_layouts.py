"""How each kind of system is asked, and where its answer ends."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from transformers import AutoTokenizer

from limakit.errors import ModelError
from limakit.models.chat import EOT
from limakit.models.layouts import ANSWER, EXAMPLES, QUESTION, few_shot, layout
from limakit.records import Turn

DIALOGUE = (
    Turn(role="user", content="a"),
    Turn(role="assistant", content="b"),
    Turn(role="user", content="c"),
)


@pytest.fixture
def tokenizer(tiny_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model)


def asked(tokenizer: Any, kind: Any) -> str:
    text = tokenizer.decode(layout(kind, tokenizer, frozenset({0})).prompt(DIALOGUE))
    return text.removeprefix("<|endoftext|>")


def test_the_base_model_sees_plain_text_and_a_tuned_one_its_turns(tokenizer: Any) -> None:
    assert asked(tokenizer, "base") == asked(tokenizer, "folder") == "a\n\nb\n\nc\n\n"
    tokenizer.add_special_tokens({"additional_special_tokens": [EOT]})
    assert asked(tokenizer, "tuned") == asked(tokenizer, "folder") == f"a{EOT}b{EOT}c{EOT}"


def test_few_shot_puts_the_dialogue_after_worked_examples(tokenizer: Any) -> None:
    text = asked(tokenizer, "few_shot")
    assert text == few_shot(DIALOGUE)
    assert text.count(QUESTION) == len(EXAMPLES) + 2
    assert text.endswith(f"{QUESTION}\na\n\n{ANSWER}\nb\n\n{QUESTION}\nc\n\n{ANSWER}\n")
    assert layout("few_shot", tokenizer, frozenset()).stop_text == f"\n{QUESTION}"


def test_another_model_is_asked_through_its_own_template_on_a_fixed_day(tokenizer: Any) -> None:
    tokenizer.chat_template = (
        "{{ strftime_now('%d %b %Y') }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    assert asked(tokenizer, "folder") == "01 Jan 2024[user]a[assistant]b[user]c[assistant]"
    assert asked(tokenizer, "base") == "a\n\nb\n\nc\n\n"


def test_control_tokens_in_a_message_stay_text_for_other_models_too(tokenizer: Any) -> None:
    tokenizer.chat_template = "\n{% for m in messages %}{{ m.content }}<|endoftext|>{% endfor %}"
    ids = layout("folder", tokenizer, frozenset()).prompt([Turn(role="user", content="x<|endoftext|>y")])
    assert ids.count(tokenizer.eos_token_id) == 1
    assert tokenizer.decode(ids) == "\nx<|endoftext|>y<|endoftext|>"


@pytest.mark.parametrize("template", ["{{ raise_exception('no') }}", "{% for %}", "{{ messages.__class__.mro() }}"])
def test_a_template_that_refuses_or_misbehaves_is_one_clear_error(tokenizer: Any, template: str) -> None:
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match="chat template refuses"):
        asked(tokenizer, "folder")
