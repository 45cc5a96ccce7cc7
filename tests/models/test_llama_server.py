"""Against llama.cpp's server on loopback, with the tests' tiny model as GGUF. Left out where neither xllamacpp is
installed nor LIMAKIT_LLAMA_PYTHON names a Python that has it (docs/judges.md)."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from limakit.engine import silent
from limakit.models.buyer import buy
from limakit.models.wire import Call, Failure, Reply
from limakit.pipeline.judging import judge
from limakit.recipe_judges import SystemEndpoint
from limakit.records import Turn, Verdict
from limakit.store.files import read_jsonl
from limakit.store.ledger import Ledger
from limakit.store.study import Study
from tests.models.gguf import write_gguf
from tests.models.served import serving
from tests.pipeline.test_model_judging import study

PYTHON = os.environ.get("LIMAKIT_LLAMA_PYTHON") or (sys.executable if find_spec("xllamacpp") else None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        PYTHON is None, reason="set LIMAKIT_LLAMA_PYTHON to a Python with xllamacpp or llama-cpp-python[server]"
    ),
]
TEMPLATE = "{% for m in messages %}{{ m.content[-60:] }}\n{% endfor %}"
WORD = "How do I keep basil alive"
JUDGE = """
[[judges]]
name = "llama"
base_url = "{url}"
model = "tiny"
input_price = 1.0
output_price = 2.0
budget = 5.0
max_tokens = 12
concurrency = 2
extra_body = {{ top_k = 0, min_p = 0.0, repeat_penalty = 1.0 }}
"""


@pytest.fixture(scope="module")
def url(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("llama")
    model = write_gguf(tiny_model, folder / "tiny.gguf", TEMPLATE)

    def command(port: int) -> list[str]:
        return [str(PYTHON), str(Path(__file__).with_name("llama_serve.py")), str(model), str(port)]

    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HOST", "PORT")}
    with serving(command, environment, folder / "server.log") as address:
        yield address


def endpoint(url: str, **settings: object) -> SystemEndpoint:
    base = {"base_url": url, "model": "tiny", "input_price": 0.0, "output_price": 0.0, "budget": 0.0}
    plain = {"extra_body": {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}}
    return SystemEndpoint.model_validate({**base, **plain, **settings})


def test_a_judge_ends_in_verdicts_or_known_failures_and_is_asked_once(url: str, tmp_path: Path) -> None:
    """A random model gives no verdict: every pair is missing, and says why."""
    folder = tmp_path / "study"
    folder.mkdir()
    outcome = judge(study(folder, JUDGE.format(url=url)), silent)[1]
    assert outcome.counts["pairs"] == outcome.counts["missing"] + outcome.counts["both_orders"] == 6
    assert sum(outcome.counts["failures"].values()) == 12
    assert set(outcome.counts["failures"]) <= {"truncated", "empty", "unparseable"}
    verdicts = read_jsonl(folder / "judge" / "llama" / "verdicts.jsonl", Verdict)
    assert all(verdict.label or verdict.detail for verdict in verdicts)
    with sqlite3.connect(folder / "ledger.db") as books:
        rows = books.execute("SELECT key, state, held, cost FROM attempt").fetchall()
        used = books.execute("SELECT used FROM account WHERE name = 'llama'").fetchone()[0]
    assert len({key for key, *_ in rows}) == len(rows) == 12
    assert {(state, held) for _, state, held, _ in rows} == {("answered", 0)}
    assert used == sum(cost for *_, cost in rows) > 0
    assert outcome.counts["cost"] == round(used / 10**12, 6)

    before = {path.name: path.read_bytes() for path in (folder / "judge" / "llama").iterdir()}
    shutil.rmtree(folder / "judge" / "llama")
    assert judge(Study(folder), silent)[1].state == "done"
    assert {path.name: path.read_bytes() for path in (folder / "judge" / "llama").iterdir()} == before
    with sqlite3.connect(folder / "ledger.db") as books:
        assert books.execute("SELECT count(*) FROM attempt").fetchone() == (12,)


def ask(url: str, ledger: Path, times: int, **settings: object) -> list[str]:
    """First tokens of that many answers."""
    asked = [
        Call(system="", turns=(Turn(role="user", content=WORD),), sample=n, top_p=settings.get("top_p"))  # type: ignore[arg-type]
        for n in range(times)
    ]
    with Ledger(ledger) as books:
        ends = [end.outcome for end in buy(asked, endpoint(url, **settings), books, "tiny", silent)]
    assert all(isinstance(end, Reply) or end.kind in ("truncated", "empty") for end in ends)
    return [end.text for end in ends if end.text]  # type: ignore[union-attr]


def test_its_nucleus_comes_before_the_temperature_and_ours_after(url: str, tiny_model: Path, tmp_path: Path) -> None:
    """At temperature 3 the paper's order leaves many tokens in the nucleus, llama.cpp's only those of temperature 1."""
    import torch

    from limakit.models.local import load
    from limakit.models.local_sampling import choose
    from limakit.recipe import Generate

    model, tokenizer = load(tiny_model)
    ids = tokenizer(f"{WORD}\n", add_special_tokens=False, return_tensors="pt").input_ids
    with torch.inference_mode():
        logits = model(ids).logits[0, -1].float()
    greedy = ask(url, tmp_path / "greedy.db", 1, temperature=0.0, max_tokens=1)
    assert greedy == [tokenizer.decode(logits.argmax())], "the same model, the same tokens"

    chances, order = torch.softmax(logits, 0).sort(descending=True)
    inside = order[: int((chances.cumsum(0) < 0.3).sum()) + 1]
    theirs = ask(url, tmp_path / "hot.db", 60, temperature=3.0, top_p=0.3, max_tokens=1)
    assert len(set(theirs)) > 1
    assert set(theirs) <= {tokenizer.decode(token) for token in inside}

    if not subprocess.run([str(PYTHON), "-c", "import xllamacpp"], capture_output=True, check=False).returncode:
        told = {"samplers": ["penalties", "temperature", "top_p"]}  # llama-cpp-python's server has no such field
        turned = ask(url, tmp_path / "told.db", 60, temperature=3.0, top_p=0.3, max_tokens=1, extra_body=told)
        assert not set(turned) <= {tokenizer.decode(token) for token in inside}

    settings = Generate(temperature=3.0, top_p=0.3, repetition_penalty=1.0)
    rows = logits[None].repeat(60, 1)
    none = torch.zeros((60, 0), dtype=torch.int64), torch.zeros(60, dtype=torch.int64)
    ours = choose(rows, *none, torch.linspace(0, 0.999, 60, dtype=torch.float64), settings)
    assert not set(ours.tolist()) <= set(inside.tolist())


def test_a_question_beyond_its_context_is_rejected_not_cut(url: str, tmp_path: Path) -> None:
    call = Call(system="", turns=(Turn(role="user", content="basil " * 10),) * 40)
    with Ledger(tmp_path / "ledger.db") as ledger:
        (end,) = buy([call], endpoint(url, max_tokens=5), ledger, "tiny", silent)
    assert isinstance(end.outcome, Failure)
    assert re.search("context|exceed", end.outcome.detail)
