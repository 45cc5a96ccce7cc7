"""Responses in order, counted, and the same bytes after any kill."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from limakit.engine import Progress, silent
from limakit.generate.run import PARTS, RESPONSES, TURNS, respond
from limakit.models.sampler import Answer, Request, ScriptedSampler, sampling
from limakit.recipe import Generate
from limakit.records import Prompt, Response, Turn
from limakit.store.files import read_jsonl

SETTINGS = Generate(slots=2, samples=2, max_new_tokens=6)
BLOCK = TURNS * SETTINGS.slots
PROMPTS = [Prompt(id=f"p{i}", messages=(Turn(role="user", content=f"Question {i}"),)) for i in range(11)]
SCRIPT = {p.id: "word " * (i % 8) for i, p in enumerate(PROMPTS)}


class Interrupted(Exception):
    """Stands for the kill."""


class Counting(ScriptedSampler):
    """Counts what it is asked, and dies before answer number `dies`."""

    def __init__(self, dies: int | None = None):
        super().__init__(SCRIPT)
        self.answered, self._dies = 0, dies

    def answer(self, requests: Sequence[Request], settings: Generate, seed: int) -> Iterator[tuple[int, Answer]]:
        for pair in super().answer(requests, settings, seed):
            if self.answered == self._dies:
                raise Interrupted
            self.answered += 1
            yield pair


def run(sampler: ScriptedSampler, folder: Path) -> dict:
    return respond(sampler, PROMPTS, "tuned", SETTINGS, 0, folder, silent)


def test_responses_come_in_the_order_of_prompts_and_samples(tmp_path: Path) -> None:
    run(Counting(), tmp_path)
    got = read_jsonl(tmp_path / RESPONSES, Response)
    assert [(r.prompt_id, r.sample) for r in got] == [(p.id, s) for p in PROMPTS for s in (0, 1)]
    assert {(r.system, r.sampling) for r in got} == {("tuned", sampling(SETTINGS))}, "each says how it was drawn"


def test_the_counts_add_up(tmp_path: Path) -> None:
    counts = run(Counting(), tmp_path)
    lengths = [i % 8 for i in range(11) for _ in range(2)]
    assert counts == {
        "responses": 22,
        "eot": sum(n < 6 for n in lengths),
        "length": sum(n >= 6 for n in lengths),
        "stop_rate": round(sum(n < 6 for n in lengths) / 22, 4),
        "empty": sum(n == 0 for n in lengths),
        "mean_tokens": round(sum(min(n + 1, 6) for n in lengths) / 22, 2),
        "trimmed_prompts": 0,
        "trimmed_tokens": 0,
    }


def test_trimmed_prompts_are_counted(tmp_path: Path) -> None:
    class Trimming(ScriptedSampler):
        def answer(self, requests: Sequence[Request], settings: Generate, seed: int) -> Iterator[tuple[int, Answer]]:
            for index in range(len(requests)):
                yield index, Answer(text="x", finish="eot", tokens=2, trimmed=7 if index == 1 else 0)

    counts = respond(Trimming({}), PROMPTS[:3], "base", Generate(), 0, tmp_path, silent)
    assert (counts["trimmed_prompts"], counts["trimmed_tokens"], counts["responses"]) == (1, 7, 3)


def test_no_prompts_make_an_empty_file(tmp_path: Path) -> None:
    counts = respond(Counting(), [], "tuned", SETTINGS, 0, tmp_path, silent)
    assert (tmp_path / RESPONSES).read_bytes() == b""
    assert (counts["responses"], counts["stop_rate"], counts["mean_tokens"]) == (0, None, None)


@pytest.mark.parametrize("dies", range(0, 22, 3))
def test_a_rerun_redoes_only_unfinished_blocks_and_ends_in_the_same_bytes(dies: int, tmp_path: Path) -> None:
    run(Counting(), tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(Counting(dies), tmp_path / "killed")
    assert not (tmp_path / "killed" / RESPONSES).exists()
    again = Counting()
    run(again, tmp_path / "killed")
    assert again.answered == 22 - dies // BLOCK * BLOCK
    assert (tmp_path / "killed" / RESPONSES).read_bytes() == (tmp_path / "whole" / RESPONSES).read_bytes()


def test_a_system_already_answered_is_not_asked_again(tmp_path: Path) -> None:
    first = run(Counting(), tmp_path)
    again = Counting()
    assert run(again, tmp_path) == first
    assert again.answered == 0


def test_progress_is_told_at_every_answer(tmp_path: Path) -> None:
    told: list[tuple[float, float]] = []
    respond(
        Counting(),
        PROMPTS,
        "tuned",
        SETTINGS,
        0,
        tmp_path,
        lambda what, done, total, unit, note="": told.append((done, total)),
    )
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {done for done, _ in told} == set(range(1, 23))


def answer_with(model: Path, folder: Path, tell: Progress = silent) -> None:
    """20 prompts in three blocks by a real model; also run in a process of its own."""
    from limakit.models.local import load_system

    prompts = [Prompt(id=f"p{i}", messages=(Turn(role="user", content="word " * i),)) for i in range(20)]
    respond(load_system(model, "base"), prompts, "base", Generate(slots=2, max_new_tokens=12), 3, folder, tell)


def test_kill_9_ends_in_the_same_bytes(tiny_model: Path, tmp_path: Path) -> None:
    """Killed while it answers the second block: the first is kept, the others are made again."""
    torch = pytest.importorskip("torch")
    answer_with(tiny_model, tmp_path / "whole")
    fork = multiprocessing.get_context("fork")  # which needs no second import of torch
    told, telling = fork.Pipe(duplex=False)

    def victim() -> None:
        torch.set_num_threads(1)  # the threads of the process that forks are not there any more
        answer_with(tiny_model, tmp_path / "killed", lambda what, done, *rest: telling.send(done))

    process = fork.Process(target=victim)
    process.start()
    telling.close()
    while told.recv() != 11:
        pass
    process.kill()
    process.join()
    told.close()
    assert process.exitcode == -signal.SIGKILL
    assert (tmp_path / "killed" / PARTS / "00000.jsonl").exists()
    answer_with(tiny_model, tmp_path / "killed")
    assert (tmp_path / "killed" / RESPONSES).read_bytes() == (tmp_path / "whole" / RESPONSES).read_bytes()
