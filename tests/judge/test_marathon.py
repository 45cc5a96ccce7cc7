"""2,000 calls, three in ten of them faulty, 20 kills: nothing bought twice, the cap kept, everything accounted for."""

import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import orjson

from limakit.engine import silent
from limakit.judge import pairwise
from limakit.judge.questions import Question, load_form
from limakit.models import wire
from limakit.models.buyer import buy
from limakit.models.retry import Retry
from limakit.recipe_judges import ServedJudge
from limakit.records import Pair, Response, Turn
from limakit.store.ledger import UNIT, Ledger
from tests.models.provider import FAULTS, Provider, digest, serve

PAIRS, KILLS = 1000, 20
FAST = Retry(attempts=12, first=0.001)

# A process that has imported everything forks a buyer for each line it reads, so that a kill costs no import. It kills
# the child itself, which until then it has not waited for: the number cannot belong to anybody else.
NURSERY = """
import os, signal, sys
from pathlib import Path
from tests.judge.test_marathon import buy_all
for line in sys.stdin:
    if line == "go\\n":
        child = os.fork()
        if not child:
            buy_all(Path(sys.argv[1]), sys.argv[2])
            os._exit(0)
    else:
        if line == "kill\\n":
            os.kill(child, signal.SIGKILL)
        print(os.waitpid(child, 0)[1], flush=True)
"""


def pairs() -> list[Pair]:
    def response(number: int, system: str) -> Response:
        return Response(prompt_id=f"p{number}", system=system, text=f"{system} {number}", finish="eot", tokens=1)

    return [
        Pair(
            id=f"{number:04d}",
            prompt_id=f"p{number}",
            messages=(Turn(role="user", content=f"Question {number}?"),),
            a=response(number, "tuned"),
            b=response(number, "base"),
        )
        for number in range(PAIRS)
    ]


def questions() -> list[Question]:
    return pairwise.questions(pairs(), load_form("pairwise"), seed=0)


def buy_all(folder: Path, settings: str) -> None:
    with Ledger(folder / "ledger.db") as ledger:
        calls = [question.call for question in questions()]
        buy(calls, ServedJudge.model_validate_json(settings), ledger, "fake", silent, FAST)


def script(text: str, before: int) -> str:
    """Three requests in ten go wrong, by text and turn; else `tuned` wins where its number is even."""
    chance = random.Random(f"{before} {text}")
    if chance.random() < 0.3:
        return chance.choice(FAULTS)
    found = re.search(r"VERDICT ([0-9a-f]{8}):", text)
    first = re.search(r"BEGIN ANSWER A \w+\]\]\n\| (\w+) (\d+)", text)
    assert found
    assert first
    tuned_first, even = first.group(1) == "tuned", int(first.group(2)) % 2 == 0
    return f"Reasons.\nVERDICT {found.group(1)}: {'A' if tuned_first == even else 'B'}"


def stored_texts(folder: Path, texts: dict[str, str]) -> set[str]:
    with sqlite3.connect(f"file:{folder / 'ledger.db'}?mode=ro", uri=True) as db:
        return {texts[key] for (key,) in db.execute("SELECT key FROM attempt WHERE state='answered'")}


def run(nursery: "subprocess.Popen[str]", provider: Provider, kill_after: int | None) -> int:
    """One buyer, killed once the server has seen so many requests. Returns its wait status."""
    assert nursery.stdin
    assert nursery.stdout
    print("go", file=nursery.stdin, flush=True)
    patience = time.monotonic() + 20
    while kill_after is not None and provider.requests < kill_after and time.monotonic() < patience:
        time.sleep(0.001)
    print("wait" if kill_after is None else "kill", file=nursery.stdin, flush=True)
    return int(nursery.stdout.readline())


def test_kills_and_faults(tmp_path: Path) -> None:
    asked = questions()
    draw = random.Random(5)
    with serve(script) as provider:
        judge = provider.judge(concurrency=16, timeout=0.3, max_tokens=300, budget=3000.0)
        texts = {
            digest(f"openai\n{provider.url}/chat/completions\n" + wire.encode(judge, question.call).decode()): digest(
                question.call.turns[-1].content
            )
            for question in asked
        }
        assert len(texts) == 2 * PAIRS
        command = [sys.executable, "-c", NURSERY, str(tmp_path), judge.model_dump_json()]
        nursery = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        seen: dict[str, int] = {}
        try:
            for _ in range(KILLS):
                status = run(nursery, provider, provider.requests + draw.randrange(1, 220))
                assert status == signal.SIGKILL
                for text in stored_texts(tmp_path, texts):
                    assert provider.seen[text] == seen.setdefault(text, provider.seen[text]), "bought again"
                with Ledger(tmp_path / "ledger.db") as ledger:
                    assert provider.billed <= ledger.used("fake") / UNIT + 1e-6 <= judge.budget
            assert run(nursery, provider, None) == 0
        finally:
            assert nursery.stdin
            nursery.stdin.close()
            nursery.wait(10)
            assert nursery.stdout
            nursery.stdout.close()

        requests = provider.requests
        with Ledger(tmp_path / "ledger.db") as ledger:
            ends = buy([question.call for question in asked], judge, ledger, "fake", silent, FAST)
            used = ledger.used("fake") / UNIT
        assert provider.requests == requests, "a finished judgement makes no call"
        assert provider.billed <= used + 1e-6 <= judge.budget
        assert all(provider.seen[text] == count for text, count in seen.items()), "bought again"

    with sqlite3.connect(tmp_path / "ledger.db") as db:
        rows = db.execute("SELECT key, state FROM attempt ORDER BY id").fetchall()
    assert len(rows) >= requests, "every request was written down before it was sent"
    last = dict(rows)
    assert [key for key, state in rows if state == "answered"].__len__() == len(last) == 2 * PAIRS
    assert set(last.values()) == {"answered"}, "nothing was sent after an answer"

    verdicts, counts = pairwise.verdicts(pairs(), asked, [end.outcome for end in ends], "model:fake")
    assert len(verdicts) == PAIRS == counts["both_orders"] + counts["missing"]
    assert set(counts["failures"]) == {"bad_json", "refusal", "truncated"}
    for number, verdict in enumerate(verdicts):
        assert verdict.winner == (None if verdict.label is None else "tuned" if number % 2 == 0 else "base")
        assert verdict.label or verdict.detail.startswith(("in this order: ", "with the sides changed: "))
    assert counts["missing"] > 100
    assert counts["won"]["tuned"] + counts["won"]["base"] == counts["both_orders"]
    assert orjson.loads(orjson.dumps(counts)) == counts
