"""Against a real server: `transformers serve` on loopback with a tiny random model, where its extra is installed."""

import os
import shutil
import socket
import subprocess
import sys
import time
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


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_transformers_serve(tiny_model: Path, tmp_path: Path) -> None:
    """A random model gives no verdict: the pair is missing, its tokens are counted, and a rerun needs no server."""
    for needed in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(needed, reason="transformers serve needs `pip install 'transformers[serving]'`")
    folder = shutil.copytree(tiny_model, tmp_path / "tiny")
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content[-60:] }}\n{% endfor %}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        Path(sys.executable).parent / "transformers",
        "serve",
        folder,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1"}
    answers = [Response(prompt_id="p", system=name, text=name, finish="eot", tokens=1) for name in ("tuned", "base")]
    question = (Turn(role="user", content="Which?"),)
    pairs = [Pair(id="x", prompt_id="p", messages=question, a=answers[0], b=answers[1])]
    asked = pairwise.questions(pairs, load_form("pairwise"), seed=0)
    settings = ServedJudge(
        name="tiny",
        base_url=f"http://127.0.0.1:{port}/v1",
        model=str(folder),
        input_price=1.0,
        output_price=1.0,
        budget=1.0,
        max_tokens=12,
        concurrency=2,
    )
    calls = [question.call for question in asked]
    with Ledger(tmp_path / "ledger.db") as ledger:
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 120
            while not listens(port) and time.monotonic() < until:
                assert server.poll() is None, "the server ended"
                time.sleep(0.2)
            ends = buy(calls, settings, ledger, "tiny", silent)
        finally:
            server.terminate()
            server.wait(20)
        assert buy(calls, settings, ledger, "tiny", silent) == ends
        assert ledger.used("tiny") == sum(end.cost for end in ends)
    for end in ends:
        assert isinstance(end.outcome, Reply) or (
            isinstance(end.outcome, Failure) and end.outcome.kind in ("truncated", "empty")
        )
        assert 10 <= end.cost / 10**6 <= 1000
    verdicts, counts = pairwise.verdicts(pairs, asked, [end.outcome for end in ends], "model:tiny")
    assert (verdicts[0].label, counts["missing"]) == (None, 1)
