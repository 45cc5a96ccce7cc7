"""What the tests share: small models built on the spot, and real data where it is present."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # no test fails because the machine is busy
settings.load_profile("patient")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

FIRST = (
    "tests/test_story.py",
    "tests/train/test_parallel.py",
    "tests/models/test_local.py",
    "tests/experiments/test_ablate.py",
    "tests/report/test_coverage.py",
    "tests/web/test_load.py",
    "tests/web/test_desk_browser.py",
    "tests/web/test_browser.py",
    "tests/train/test_speed.py",
    "tests/judge/test_marathon.py",
    "tests/models/test_real_server.py",
)
"""Files that take longest begin first: else the last of them runs on one worker while the others have nothing."""
TEXT = [
    "How do I keep basil alive on a windowsill? Give it light, water it from below and pinch the tips.",
    "Explain why the sky is blue. Short waves scatter more than long ones, so blue reaches us from everywhere.",
    "def add(a, b):\n    return a + b\n",
    "The capital of a country is where its government sits; it need not be the largest city.",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first; within a file, and among the others, as collected."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(FIRST)))


def build_model(folder: Path, *, vocab: int = 384, tie: bool = True, layers: int = 2) -> Path:
    """A Llama of about 50,000 random parameters with a byte-level tokenizer of its own, as a Hugging Face folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    raw.train_from_iterator(TEXT * 4, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<|endoftext|>", eos_token="<|endoftext|>", clean_up_tokenization_spaces=False
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            tie_word_embeddings=tie,
            bos_token_id=raw.token_to_id("<|endoftext|>"),
            eos_token_id=raw.token_to_id("<|endoftext|>"),
            initializer_range=0.2,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random Llama; read-only."""
    return build_model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real public data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("LIMAKIT_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set LIMAKIT_REAL_DATA to run this")
    return folder


@pytest.fixture(scope="session")
def trained_study(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A small study that is trained for three epochs and no further; read-only, copy it."""
    from limakit.engine import silent
    from limakit.pipeline.modelling import train
    from limakit.store.study import Study
    from tests.studies import write_study

    study = Study(write_study(tmp_path_factory.mktemp("trained") / "study", tiny_model))
    with study.lock():
        train(study, silent)
    return study.root
