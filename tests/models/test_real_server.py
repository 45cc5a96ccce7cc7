"""Against a real server: `transformers serve` on loopback with a tiny random model, where its extra is installed."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from limakit.engine import silent
from limakit.judge import pairwise
from limakit.judge.questions import load_form
from limakit.models.buyer import buy
from limakit.models.wire import Failure, Reply
from limakit.recipe_judges import ServedJudge
from limakit.records import Pair, Response, Turn
from limakit.store.ledger import Ledger
from tests.models.served import serving


@pytest.mark.slow
def test_transformers_serve(tiny_model: Path, tmp_path: Path) -> None:
    """A random model gives no verdict: the pair is missing, its tokens are counted, and a rerun needs no server."""
    for needed in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(needed, reason="transformers serve needs `pip install 'transformers[serving]'`")
    folder = shutil.copytree(tiny_model, tmp_path / "tiny")
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content[-60:] }}\n{% endfor %}")
    program = Path(sys.executable).parent / "transformers"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1"}
    answers = [Response(prompt_id="p", system=name, text=name, finish="eot", tokens=1) for name in ("tuned", "base")]
    question = (Turn(role="user", content="Which?"),)
    pairs = [Pair(id="x", prompt_id="p", messages=question, a=answers[0], b=answers[1])]
    asked = pairwise.questions(pairs, load_form("pairwise"), seed=0)
    calls = [question.call for question in asked]
    with Ledger(tmp_path / "ledger.db") as ledger:
        with serving(
            lambda port: [program, "serve", folder, "--host", "127.0.0.1", "--port", str(port)],
            environment,
            tmp_path / "server.log",
        ) as url:
            settings = ServedJudge(
                name="tiny",
                base_url=url,
                model=str(folder),
                input_price=1.0,
                output_price=1.0,
                budget=1.0,
                max_tokens=12,
                concurrency=2,
            )
            ends = buy(calls, settings, ledger, "tiny", silent)
        assert buy(calls, settings, ledger, "tiny", silent) == ends
        assert ledger.used("tiny") == sum(end.cost for end in ends)
    for end in ends:
        assert isinstance(end.outcome, Reply) or (
            isinstance(end.outcome, Failure) and end.outcome.kind in ("truncated", "empty")
        )
        assert 10 <= end.cost / 10**6 <= 1000
    verdicts, counts = pairwise.verdicts(pairs, asked, [end.outcome for end in ends], "model:tiny")
    assert (verdicts[0].label, counts["missing"]) == (None, 1)
