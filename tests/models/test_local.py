"""Decoding through slots against Hugging Face's own: same logits, same tokens, whatever the neighbours."""

import json
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from transformers import (  # noqa: E402
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
)

from limakit.errors import LimakitError, ModelError  # noqa: E402
from limakit.models.chat import EOT  # noqa: E402
from limakit.models.local import LocalSampler, load_system  # noqa: E402
from limakit.models.local_decode import Decoder, Job  # noqa: E402
from limakit.models.sampler import Answer, Request, sampling  # noqa: E402
from limakit.recipe import Generate  # noqa: E402
from limakit.records import Prompt, Turn  # noqa: E402

GREEDY = Generate(temperature=0, repetition_penalty=1.0, max_new_tokens=24, slots=3)
TINY = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama-rope3": {
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 1e4,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }
    },
    "qwen2": {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1},
    "qwen3": {},
    "mistral": {"sliding_window": 7},
    "gemma": {"num_key_value_heads": 1},
    "gemma2": {"sliding_window": 6, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0},
    "gemma3_text": {"sliding_window": 6, "sliding_window_pattern": 2},
    "gemma4_text": {
        "num_hidden_layers": 4,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "sliding_window": 6,
        "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": 97,
        "num_kv_shared_layers": 2,
        "global_head_dim": 16,
    },
    "smollm3": {},
    "olmo2": {},
    "phi3": {"sliding_window": None},
    "gpt_neox": {},
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """A second thread costs these tiny models far more than it brings."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny(family: str) -> Any:
    torch.manual_seed(1)
    config = AutoConfig.for_model(family.split("-")[0], **{**TINY, **FAMILIES.get(family, {})})
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


def prompts(count: int) -> list[list[int]]:
    random = torch.Generator().manual_seed(5)
    return [torch.randint(3, 97, (3 + 7 * i % 29,), generator=random).tolist() for i in range(count)]


def decode(model: Any, settings: Generate, count: int, stop: int = 1) -> list[list[int]]:
    jobs = [Job(ids, settings.max_new_tokens, key) for key, ids in enumerate(prompts(count))]
    return [ids for _, ids, _ in sorted(Decoder(model, frozenset({stop})).run(jobs, settings))]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_greedy_decoding_is_hugging_faces_token_for_token(family: str, penalty: float) -> None:
    """Seven ragged prompts through three slots, sliding windows shorter than the texts."""
    model = tiny(family)
    theirs = []
    for ids in prompts(7):
        processors = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(penalty, prompt_ignore_length=len(ids))])
        whole = model.generate(
            torch.tensor([ids]), do_sample=False, max_new_tokens=24, eos_token_id=1, logits_processor=processors
        )
        theirs.append(whole[0, len(ids) :].tolist())
    assert decode(model, GREEDY.model_copy(update={"repetition_penalty": penalty}), 7) == theirs


def test_the_hf_penalty_is_hugging_faces_and_ours_is_not() -> None:
    """Theirs falls on the prompt too, so it is a setting by name and said with every response."""
    model, theirs = tiny("llama"), []
    for ids in prompts(7):
        whole = model.generate(
            torch.tensor([ids]), do_sample=False, max_new_tokens=24, eos_token_id=1, repetition_penalty=1.3
        )
        theirs.append(whole[0, len(ids) :].tolist())
    settings = GREEDY.model_copy(update={"repetition_penalty": 1.3})
    hf = settings.model_copy(update={"penalty_on": "hf"})
    assert decode(model, hf, 7) == theirs
    assert decode(model, settings, 7) != theirs
    assert decode(model, hf.model_copy(update={"slots": 1}), 7) == theirs
    assert "on prompt and generated tokens (hf)" in sampling(hf)
    assert sampling(settings) == "greedy, repetition_penalty 1.3 on generated tokens"


@pytest.mark.parametrize("family", ["llama", "gemma2", "mistral"])
def test_samples_do_not_depend_on_the_number_of_slots(family: str) -> None:
    settings = Generate(max_new_tokens=20)
    model = tiny(family)
    one, two, many = (decode(model, settings.model_copy(update={"slots": s}), 36) for s in (1, 2, 32))
    assert one == two == many
    assert len({len(ids) for ids in one}) > 3, "ragged, or the test shows little"


def test_out_of_memory_halves_the_slots_and_answers_stay(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    system, settings = load_system(tiny_model, "base"), Generate(max_new_tokens=12, slots=8)
    requests = [Request(prompt=Prompt(id=str(n), messages=(Turn(role="user", content="a" * n),))) for n in range(1, 8)]
    wanted = dict(system.answer(requests, settings, 0))
    forward, room = Decoder.forward, [3]

    def scarce(self: Any, slots: Any, packed: Any, lengths: list[int], prompts: list[int]) -> Any:
        if len(lengths) + len(prompts) > room[0] and sum(lengths) > 40:
            raise torch.OutOfMemoryError("no more")
        return forward(self, slots, packed, lengths, prompts)

    monkeypatch.setattr(Decoder, "forward", scarce)
    assert dict(system.answer(requests, settings, 0)) == wanted
    assert [record.getMessage() for record in caplog.records] == [
        "out of memory, going on with 3 answers at once; generate.slots = 3 begins so"
    ]
    room[0] = 0
    with pytest.raises(ModelError, match="out of memory with one answer at a time"):
        list(system.answer(requests, Generate(max_new_tokens=60, slots=1), 0))


def test_prompts_beyond_one_pass_wait_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    whole = decode(model, GREEDY, 7)
    monkeypatch.setattr("limakit.models.local_decode.PREFILL_TOKENS", 12)
    assert decode(model, GREEDY, 7) == whole


@pytest.fixture(scope="module")
def tuned(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with the EOT token and its row, as training leaves it."""
    folder = tmp_path_factory.mktemp("tuned") / "model"
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_special_tokens({"additional_special_tokens": [EOT]})
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sampler(tuned: Path) -> LocalSampler:
    return load_system(tuned, "tuned")


def ask(*texts: str) -> list[Request]:
    return [
        Request(prompt=Prompt(id=f"p{i}", messages=(Turn(role="user", content=text),))) for i, text in enumerate(texts)
    ]


def answers(sampler: LocalSampler, requests: list[Request], settings: Generate, seed: int = 0) -> list[Answer]:
    return [answer for _, answer in sorted(sampler.answer(requests, settings, seed), key=lambda pair: pair[0])]


def test_the_tuned_model_sees_the_dialogue_as_in_training_and_the_base_model_plain_text(
    tuned: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []
    run = Decoder.run
    monkeypatch.setattr(
        Decoder, "run", lambda self, jobs, s: seen.extend(list(j.ids) for j in jobs) or run(self, jobs, s)
    )
    turns = (Turn(role="user", content="a"), Turn(role="assistant", content="b"), Turn(role="user", content="c"))
    request = [Request(prompt=Prompt(id="p", messages=turns))]
    for opened in (load_system(tuned, "tuned"), load_system(tiny_model, "base")):
        answers(opened, request, Generate(max_new_tokens=1))
    tokenizer = AutoTokenizer.from_pretrained(tuned)
    assert [tokenizer.decode(ids).removeprefix("<|endoftext|>") for ids in seen] == [
        f"a{EOT}b{EOT}c{EOT}",
        "a\n\nb\n\nc\n\n",
    ]


def test_an_answer_ends_at_its_end_of_turn_or_at_the_limit(sampler: LocalSampler) -> None:
    got = answers(sampler, ask(*map(str, range(40))), Generate(max_new_tokens=60))
    assert {a.finish for a in got} == {"eot", "length"}
    for answer in got:
        assert EOT not in answer.text
        assert answer.tokens == 60 if answer.finish == "length" else 1 <= answer.tokens <= 60


def test_samples_of_one_prompt_differ_and_the_seed_matters(sampler: LocalSampler) -> None:
    prompt = ask("Why?")[0].prompt
    requests = [Request(prompt=prompt, sample=i) for i in range(3)]
    settings = Generate(max_new_tokens=20)
    first = answers(sampler, requests, settings, seed=1)
    assert len({a.text for a in first}) == 3
    assert answers(sampler, requests[2:], settings, seed=1) == first[2:], "whatever else is asked"
    assert answers(sampler, requests, settings, seed=2) != first


@pytest.mark.parametrize("text", ["", " ", "\x00\ud7ff\U0010ffff", "א" * 40, "\r\n" * 20, "a" * 300])
def test_hostile_prompts_are_answered(sampler: LocalSampler, text: str) -> None:
    (answer,) = answers(sampler, ask(text), Generate(max_new_tokens=5))
    assert 1 <= answer.tokens <= 5


def test_special_tokens_in_a_prompt_stay_text(sampler: LocalSampler, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Job] = []
    monkeypatch.setattr(Decoder, "run", lambda self, given, s: iter(jobs.extend(given) or ()))
    list(sampler.answer(ask(f"{EOT} <|endoftext|>"), Generate(), 0))
    tokenizer: Any = sampler._tokenizer
    specials = [i for i in jobs[0].ids if i in set(tokenizer.all_special_ids)]
    assert specials[-1] == tokenizer.convert_tokens_to_ids(EOT)
    assert specials[:-1] in ([], [tokenizer.bos_token_id])
    assert f"{EOT} <|endoftext|>" in tokenizer.decode(jobs[0].ids)


def test_a_prompt_beyond_the_context_loses_its_beginning_and_says_so(sampler: LocalSampler) -> None:
    long, short = answers(sampler, ask("word " * 2000, "word"), Generate(max_new_tokens=2048))
    assert short.trimmed == 0
    assert long.trimmed > 1000
    assert long.finish == "eot" or long.tokens == 256, "half of the context of 512 is kept for the answer"


def test_an_answer_ends_at_the_models_context(tiny_model: Path) -> None:
    sampler = load_system(tiny_model, "base")
    sampler._decoder._stop_ids = frozenset()
    (answer,) = answers(sampler, ask("word"), Generate(max_new_tokens=2048))
    size = len(sampler._layout.prompt(ask("word")[0].prompt.messages))
    assert (answer.finish, answer.tokens) == ("length", 512 - size)


def test_a_base_model_is_not_a_tuned_one(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="limakit train"):
        load_system(tiny_model, "tuned")


@pytest.mark.parametrize("family", ["gpt_oss", "bloom"])
def test_a_family_that_would_be_decoded_wrongly_is_refused_by_name(
    family: str, tiny_model: Path, tmp_path: Path
) -> None:
    """Attention sinks and position biases do not reach our attention."""
    torch.manual_seed(1)
    shape = TINY if family == "gpt_oss" else {"hidden_size": 32, "n_layer": 2, "n_head": 4}
    extra = {"num_local_experts": 2, "num_experts_per_tok": 1} if family == "gpt_oss" else {}
    config = AutoConfig.for_model(family, **{**shape, **extra, "vocab_size": 384})
    model = AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=f"models of type '{family}' cannot be decoded here"):
        load_system(tmp_path, "base")


def test_missing_weights_are_named_not_invented(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(ModelError, match=r"weights missing \(model\.layers\.2"):
        load_system(folder, "base")


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "no-such-model"},
        {"model_type": None, "auto_map": {"AutoModelForCausalLM": "code.Model"}},
        {"hidden_size": "wide"},
        {"hidden_size": 48},
        {"rope_parameters": {"rope_type": "unheard"}},
        {"num_attention_heads": 0},
    ],
)
def test_a_damaged_configuration_is_one_clear_error(change: dict[str, Any], tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(LimakitError) as caught:
        load_system(folder, "base")
    assert "\n" not in str(caught.value)


def spoken(stream: Generator[str, None, Answer]) -> tuple[list[str], Answer]:
    """The pieces of a streamed answer, and what it returns."""
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value


@pytest.mark.parametrize("kind", ["tuned", "base", "few_shot", "folder"])
def test_a_streamed_answer_is_the_answer(kind: Any, tuned: Path) -> None:
    sampler = load_system(tuned, kind)
    settings = Generate(max_new_tokens=40)
    for request in ask("Why?", "ünïcode", ""):
        pieces, answer = spoken(sampler.stream(request, settings, 3))
        assert [answer] == answers(sampler, [request], settings, 3)
        assert "".join(pieces) == answer.text
        assert len(pieces) > 1 or len(answer.text) < 8


class Writing:
    """Stands for a decoder whose model writes a given text."""

    def __init__(self, tokenizer: Any, text: str, ended: Any):
        self._ids, self._ended = tokenizer.encode(text), ended

    def stops(self, ids: list[int]) -> bool:
        return self._ended(ids)

    def stream(self, job: Job, settings: Generate) -> Any:
        for place, token in enumerate(self._ids, 1):
            yield token
            if self._ended(self._ids[:place]):
                return


def test_a_few_shot_answer_ends_where_the_model_asks_itself_the_next_question(tiny_model: Path) -> None:
    sampler = load_system(tiny_model, "few_shot")
    ended = sampler._decoder._ended
    sampler._decoder = Writing(sampler._tokenizer, "Yes.\n# Quiet\n\n# Question\nAnd?", ended)  # type: ignore[assignment]
    pieces, answer = spoken(sampler.stream(ask("x")[0], Generate(), 0))
    assert "".join(pieces) == answer.text == "Yes.\n# Quiet"
    assert answer.finish == "eot"
