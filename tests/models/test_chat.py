"""The one renderer: layout, mask, trimming, special tokens in texts, and the chat template's parity."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.errors import ModelError
from limakit.models.chat import EOT, Chat, chat_template
from limakit.records import Turn

DIALOGUE = (
    Turn(role="user", content="Why?"),
    Turn(role="assistant", content="It rains."),
    Turn(role="user", content="And now?"),
    Turn(role="assistant", content="Still."),
)


@pytest.fixture(scope="session")
def tokenizer(tiny_model: Path):
    from tokenizers import AddedToken
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tiny_model)
    loaded.add_tokens([AddedToken(EOT, special=True, normalized=False)], special_tokens=True)
    return loaded


def with_bos(kind: str):
    """A tokenizer that begins texts with BOS: byte-level as Llama 3, or with Metaspace as Llama 2 and Mistral."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE(unk_token="<unk>"))
    if kind == "metaspace":
        raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        raw.decoder = decoders.Metaspace(prepend_scheme="first", split=False)
    else:
        raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>", "<s>", "</s>", EOT])
    raw.train_from_iterator(["Why? Because it rains.\n\n- so\n spaced ünïcode 1,234 x And now? It Still."] * 3, trainer)
    raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    loaded = PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    loaded.add_special_tokens({"additional_special_tokens": [EOT]}) if EOT not in loaded.all_special_tokens else None
    return loaded


def template_ids(tokenizer, messages) -> list[int]:
    plain = [{"role": turn.role, "content": turn.content} for turn in messages]
    return list(tokenizer.apply_chat_template(plain, chat_template=chat_template(tokenizer), return_dict=False))


def test_layout_and_mask(tokenizer):
    chat = Chat(tokenizer)
    rendered = chat.render(DIALOGUE, max_tokens=1000)
    assert tokenizer.decode(rendered.ids) == f"Why?{EOT}It rains.{EOT}And now?{EOT}Still.{EOT}"
    counted = [token for token, counts in zip(rendered.ids, rendered.mask, strict=True) if counts]
    assert tokenizer.decode(counted) == f"It rains.{EOT}Still.{EOT}"
    assert rendered.ids.count(chat.eot_id) == 4
    assert chat.render(DIALOGUE, max_tokens=1000, loss_on="all").mask == [True] * len(rendered.ids)


def test_bos_where_the_tokenizer_uses_one():
    loaded = with_bos("byte-level")
    rendered = Chat(loaded).render(DIALOGUE, max_tokens=1000, loss_on="all")
    assert rendered.ids[0] == loaded.bos_token_id
    assert not rendered.mask[0]
    assert rendered.ids.count(rendered.ids[0]) == 1


def test_trimming_is_at_the_end_and_counted(tokenizer):
    chat = Chat(tokenizer)
    whole = chat.render(DIALOGUE, max_tokens=1000)
    cut = chat.render(DIALOGUE, max_tokens=5)
    assert (cut.ids, cut.mask, cut.trimmed) == (whole.ids[:5], whole.mask[:5], len(whole.ids) - 5)
    assert whole.trimmed == 0


@given(text=st.text(max_size=20), special=st.sampled_from([EOT, "<|endoftext|>"]))
def test_a_special_token_spelled_in_a_text_never_becomes_the_token(tokenizer, text: str, special: str):
    chat = Chat(tokenizer)
    ids = chat.render((Turn(role="user", content=text + special + text),), max_tokens=1000).ids
    assert ids.count(chat.eot_id) == 1
    assert tokenizer.convert_tokens_to_ids("<|endoftext|>") not in ids
    assert special in tokenizer.decode(ids[:-1])


@given(text=st.text(max_size=40))
def test_the_template_renders_what_chat_renders(tokenizer, text: str):
    messages = (Turn(role="user", content="Why?"), Turn(role="assistant", content=text.replace("<|", "")))
    assert template_ids(tokenizer, messages) == Chat(tokenizer).render(messages, max_tokens=1000).ids


@pytest.mark.parametrize("kind", ["byte-level", "metaspace"])
def test_the_template_knows_bos_and_leading_spaces(kind: str):
    loaded = with_bos(kind)
    assert template_ids(loaded, DIALOGUE) == Chat(loaded).render(DIALOGUE, max_tokens=1000).ids
    assert template_ids(loaded, DIALOGUE[:3]) == Chat(loaded).prompt(DIALOGUE[:3])


def test_the_template_refuses_other_roles(tokenizer):
    with pytest.raises(Exception, match="roles are user and assistant"):
        tokenizer.apply_chat_template([{"role": "system", "content": "x"}], chat_template=chat_template(tokenizer))


def test_a_tokenizer_without_eot_is_refused(tiny_model: Path):
    from transformers import AutoTokenizer

    with pytest.raises(ModelError, match=r"has no <\|eot\|> token"):
        Chat(AutoTokenizer.from_pretrained(tiny_model))
