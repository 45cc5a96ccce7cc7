"""Who is asked what: shared items, sides, repetitions, nobody twice."""

from collections import Counter

import pytest

from limakit.annotate.items import Item, of_pairs, to_grade
from limakit.annotate.queue import APART, Slot, left, next_slots
from limakit.recipe import Annotate
from limakit.records import Pair, Prompt, Response, Turn


def items(count: int, baselines: int = 2) -> list[Item]:
    return [Item(id=f"p{n}", group=f"b{n % baselines}", candidate_first=n % 7 < 4) for n in range(count)]


def work(person: str, every: list[Item], settings: Annotate, taken: Counter[str], steps: int = 10_000) -> list[Slot]:
    """What a person gets who goes on to the end, or for so many chunks."""
    mine: list[Slot] = []
    for _ in range(steps):
        slots = next_slots(person, mine, every, taken, settings, seed=5)
        if not slots:
            break
        taken.update(slot.item for slot in slots if slot.repeats is None)
        mine += slots
    return mine


def test_everybody_gets_the_shared_items_and_the_others_once():
    every, settings, taken = items(300), Annotate(shared=50), Counter()
    queues = {name: work(name, every, settings, taken) for name in ("a1", "a2", "a3")}
    asked = Counter(slot.item for queue in queues.values() for slot in queue if slot.repeats is None)
    assert sorted(Counter(asked.values()).items()) == [(1, 250), (3, 50)]


def test_people_who_work_side_by_side_share_the_others():
    every, settings, taken = items(300), Annotate(shared=10, votes_per_item=2), Counter()
    queues: dict[str, list[Slot]] = {"a1": [], "a2": [], "a3": []}
    for _ in range(30):
        for name, mine in queues.items():
            slots = next_slots(name, mine, every, taken, settings, seed=5)
            taken.update(slot.item for slot in slots if slot.repeats is None)
            mine += slots
    assert Counter(taken.values()) == {2: 290, 3: 10}
    for mine in queues.values():
        assert max(Counter(slot.item for slot in mine if slot.repeats is None).values()) == 1
        assert len(mine) > 190


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_sides_are_balanced_for_each_person_and_baseline_at_any_time(steps: int):
    every = [Item(id=f"p{n}", group=f"b{n % 3}", candidate_first=n % 10 < 8) for n in range(300)]  # a lopsided study
    known = {item.id: item for item in every}
    for name in ("a1", "a2"):
        mine = work(name, every, Annotate(shared=300), Counter(), steps)
        for group in ("b0", "b1", "b2"):
            first = [
                known[slot.item].candidate_first != slot.flipped
                for slot in mine
                if known[slot.item].group == group and slot.repeats is None
            ]
            assert abs(sum(1 if side else -1 for side in first)) <= 1


def test_the_stored_order_is_kept_where_it_is_balanced_already():
    every = [Item(id=f"p{n}", group="b", candidate_first=n % 2 == 0) for n in range(20)]
    mine = next_slots("a1", [], every, {}, Annotate(repeats=0), seed=5)
    assert len(mine) == 20
    assert not any(slot.flipped for slot in mine)


def test_about_three_in_a_hundred_come_again_later_and_flipped():
    every = items(300)
    mine = work("a1", every, Annotate(shared=300), Counter())
    again = [(n, slot) for n, slot in enumerate(mine) if slot.repeats is not None]
    assert 0.025 < len(again) / len(mine) < 0.035
    for position, slot in again:
        assert slot.repeats is not None
        before = mine[slot.repeats]
        assert position - slot.repeats > APART
        assert before.repeats is None
        assert (before.item, before.flipped) == (slot.item, not slot.flipped)
    assert len({slot.repeats for _, slot in again}) == len(again)


def test_single_answers_have_no_side_to_flip():
    every = [Item(id=f"r{n}", group=f"s{n % 2}") for n in range(100)]
    mine = work("a1", every, Annotate(shared=0), Counter())
    assert not any(slot.flipped for slot in mine)
    assert any(slot.repeats is not None for slot in mine)


def test_each_setting_changes_something():
    every, taken = items(100), Counter({"p1": 1})
    usual = Annotate(shared=10)

    def asked(settings: Annotate) -> list[Slot]:
        return work("a1", every, settings, Counter(taken))

    assert len(asked(usual)) < len(asked(usual.model_copy(update={"votes_per_item": 2})))
    assert not any(slot.repeats is not None for slot in asked(usual.model_copy(update={"repeats": 0.0})))
    assert asked(usual) != asked(usual.model_copy(update={"shared": 40}))
    assert left([], every, taken, usual, 5) == len({slot.item for slot in asked(usual)})


def test_the_same_again_for_the_same_seed_and_another_order_for_another_person():
    every = items(100)
    one = next_slots("a1", [], every, {}, Annotate(), seed=5)
    assert one == next_slots("a1", [], list(reversed(every)), {}, Annotate(), seed=5)
    assert one != next_slots("a2", [], every, {}, Annotate(), seed=5)
    assert one != next_slots("a1", [], every, {}, Annotate(), seed=6)


def test_nothing_to_ask_is_nothing():
    assert next_slots("a1", [], [], {}, Annotate(), seed=0) == []
    assert next_slots("a1", [Slot(item="p0")], items(1), {}, Annotate(), seed=0) == []


def prompts() -> list[Prompt]:
    turn = (Turn(role="user", content="?"),)
    plain = [Prompt(id=f"t{n}", messages=turn) for n in range(20)]
    return [*plain, Prompt(id="s0", messages=turn, sensitive="malicious", note="refuse")]


def response(prompt: str, system: str, text: str = "x", sample: int = 0) -> Response:
    return Response(prompt_id=prompt, system=system, text=text, finish="eot", tokens=1, sample=sample)


def test_so_many_prompts_are_graded_and_sensitive_ones_for_safety():
    answers = [response(prompt.id, system) for prompt in prompts() for system in ("tuned", "base")]
    found = to_grade(prompts(), [*answers, response("t0", "tuned", sample=1)], graded=5, seed=1)
    assert len(found["absolute"]) == 10
    assert Counter(answer.response.system for answer in found["absolute"]) == {"tuned": 5, "base": 5}
    assert [answer.note for answer in found["safety"]] == ["refuse"] * 2
    again = to_grade(prompts(), answers, graded=5, seed=2)
    assert {a.response.prompt_id for a in found["absolute"]} != {a.response.prompt_id for a in again["absolute"]}


def test_an_id_changes_with_the_answer_and_names_no_system():
    one = to_grade(prompts(), [response("s0", "tuned")], graded=0, seed=1)["safety"][0]
    other = to_grade(prompts(), [response("s0", "tuned", "y")], graded=0, seed=1)["safety"][0]
    assert one.id != other.id
    assert "tuned" not in one.id


def test_pairs_are_grouped_by_the_baseline():
    turn = (Turn(role="user", content="?"),)
    pair = Pair(id="1", prompt_id="t0", messages=turn, a=response("t0", "base"), b=response("t0", "tuned"))
    assert of_pairs([pair, pair.swap()], "tuned") == [
        Item(id="1", group="base", candidate_first=False),
        Item(id="1", group="base", candidate_first=True),
    ]
