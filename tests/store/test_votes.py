"""Votes as events: stored once, in order, conflicts kept, on SQLite and on PostgreSQL."""

import threading
import uuid

import pytest
from sqlalchemy import func, insert, select

from limakit.annotate.queue import Slot
from limakit.store import members, votes
from limakit.store.people import People
from limakit.store.people_schema import votes as table
from limakit.store.votes import Ballot


@pytest.fixture
def people(people: People) -> People:
    with people.write() as connection:
        for name in ("a1", "a2"):
            members.invite(connection, name, "annotator", 0.0)
            votes.assign(connection, name, "compare", 0, [Slot(item=f"p{n}") for n in range(5)], 0.0)
        votes.assign(connection, "a1", "compare", 5, [Slot(item="p0", flipped=True, repeats=0)], 0.0)
    return people


def ballot(assignment: int, label: str | None, after: str | None = None, *, kind: str = "compare") -> Ballot:
    return Ballot(id=str(uuid.uuid4()), kind=kind, assignment=assignment, label=label, after=after, milliseconds=900)


def append(people: People, *ballots: Ballot, person: str = "a1") -> list[votes.Receipt]:
    with people.write() as connection:
        return votes.append(connection, [(person, one) for one in ballots], 10.0)


def queue(people: People, person: str = "a1") -> list[votes.Assigned]:
    with people.read() as connection:
        return votes.queue(connection, person, "compare")


def stored(people: People) -> int:
    with people.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar() or 0


def test_a_vote_sent_again_is_stored_once(people: People):
    vote = ballot(queue(people)[0].id, "a")
    first = append(people, vote)
    assert append(people, vote) == append(people, vote, vote)[:1] == first
    assert first[0].state == "stored"
    assert stored(people) == 1
    assert queue(people)[0].label == "a"


def test_changing_a_vote_keeps_the_old_one_and_withdrawing_too(people: People):
    place = queue(people)[0].id
    one = ballot(place, "a")
    two = ballot(place, None, one.id)
    three = ballot(place, "b", two.id)
    assert [receipt.state for receipt in append(people, one, two, three)] == ["stored"] * 3
    assert (queue(people)[0].label, queue(people)[0].head) == ("b", three.id)
    assert stored(people) == 3
    append(people, ballot(place, None, three.id))
    assert queue(people)[0].label is None


def test_a_stale_tab_is_in_conflict_and_both_are_kept(people: People):
    place = queue(people)[0].id
    here, stale = ballot(place, "a"), ballot(place, "b")
    append(people, here)
    receipt = append(people, stale)[0]
    assert (receipt.state, receipt.head, receipt.label) == ("conflict", here.id, "a")
    assert append(people, stale)[0] == receipt, "sent again, it says the same"
    assert queue(people)[0].label == "a"
    assert stored(people) == 2
    with people.read() as connection:
        trouble = votes.conflicts(connection, "a1")
        assert votes.conflicts(connection, "a2") == []
    assert [(row["label"], row["kept"], row["head"]) for row in trouble] == [("b", "a", here.id)]
    assert append(people, ballot(place, "b", here.id))[0].state == "stored"
    assert queue(people)[0].label == "b"
    with people.read() as connection:
        assert votes.conflicts(connection) == []


def test_two_tabs_that_say_the_same_do_not_quarrel(people: People):
    place = queue(people)[0].id
    append(people, ballot(place, "tie"))
    assert append(people, ballot(place, "tie"))[0].state == "stored"
    assert stored(people) == 2


def test_nobody_votes_for_another_or_with_labels_of_another_kind(people: People):
    other = queue(people, "a2")[0].id
    receipts = append(people, ballot(other, "a"), ballot(10_000, "a"), ballot(queue(people)[0].id, "a", kind="safety"))
    assert [receipt.state for receipt in receipts] == ["unknown"] * 3
    assert stored(people) == 0


def test_items_that_wait_too_long_can_go_to_others(people: People):
    append(people, ballot(queue(people)[1].id, "a"))
    with people.read() as connection:
        assert votes.coverage(connection, "compare", 60.0) == {f"p{n}": 2 for n in range(5)}
        assert votes.coverage(connection, "compare", 1e6) == {"p1": 1}


def test_the_outcome_is_what_counts(people: People):
    first, second = queue(people)[:2]
    vote = ballot(second.id, "tie")
    append(people, ballot(first.id, "a"), vote, ballot(second.id, None, vote.id))
    with people.read() as connection:
        rows = votes.outcome(connection)
    assert [(row["person"], row["item"], row["label"], row["milliseconds"]) for row in rows] == [("a1", "p0", "a", 900)]


def test_many_at_once_lose_nothing(people: People):
    with people.write() as connection:
        votes.assign(connection, "a2", "compare", 5, [Slot(item=f"q{n}") for n in range(200)], 0.0)
    places = [slot.id for slot in queue(people, "a2")[5:]]

    def work(mine: list[int]) -> None:
        for place in mine:
            vote = ballot(place, "a")
            assert append(people, vote, vote, person="a2")[0].state == "stored"

    threads = [threading.Thread(target=work, args=(places[n::5],)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored(people) == 200
    assert all(slot.label == "a" for slot in queue(people, "a2")[5:])


def test_the_database_itself_refuses_an_id_twice(people: People):
    row = {"id": str(uuid.uuid4()), "assignment": queue(people)[0].id, "person": "a1", "conflict": False, "stored": 1.0}
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError), people.write() as connection:
        connection.execute(insert(table), [row, row])
