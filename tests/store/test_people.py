"""The database of people's work, on SQLite and on PostgreSQL."""

import importlib
import pkgutil
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError

import limakit.store
from limakit.errors import InputError, LimakitError, StudyError
from limakit.store import members
from limakit.store.people import People
from limakit.store.people_copy import backup, restore
from limakit.store.people_schema import metadata
from limakit.store.people_schema import people as persons
from tests import postgres


def person(name: str, role: str = "annotator") -> dict:
    return {"id": name, "role": role, "created": 1.0}


def test_migrations_make_the_tables_that_the_code_declares(people: People):
    for module in pkgutil.iter_modules(limakit.store.__path__):  # tables of other pages join the metadata on import
        if module.name.startswith("people_"):
            importlib.import_module(f"limakit.store.{module.name}")
    with people.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_sqlite_syncs_every_commit_and_logs_ahead(tmp_path: Path):
    with People.open(tmp_path / "people.db") as people, people.write() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_write_that_raises_leaves_nothing(people: People):
    def half() -> None:
        with people.write() as connection:
            connection.execute(insert(persons).values(person("a1")))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        half()
    with people.read() as connection:
        assert connection.execute(select(func.count()).select_from(persons)).scalar() == 0


def test_constraints_hold(people: People):
    with people.write() as connection:
        connection.execute(insert(persons).values(person("a1")))
    with pytest.raises(IntegrityError), people.write() as connection:
        connection.execute(insert(persons).values(person("a1")))


def test_one_writer_at_a_time_loses_nothing(people: People):
    def work() -> None:
        for _ in range(20):
            with people.write() as connection:
                count = connection.execute(select(func.count()).select_from(persons)).scalar()
                connection.execute(insert(persons).values(person(f"{count:05}")))  # clashes if two read the same

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with people.read() as connection:
        assert connection.execute(select(func.count()).select_from(persons)).scalar() == 120


def test_a_reader_sees_one_moment(people: People):
    with people.read() as connection:
        before = connection.execute(select(func.count()).select_from(persons)).scalar()
        with people.write() as writing:
            writing.execute(insert(persons).values(person("a1")))
        assert connection.execute(select(func.count()).select_from(persons)).scalar() == before == 0


def test_a_database_of_a_newer_limakit_is_left_alone(place: Path | str):
    with People.open(place) as people, people.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num='9999'"))
    with pytest.raises(StudyError, match="newer limakit"):
        People.open(place)
    with pytest.raises(StudyError):
        People.open(place)


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path):
    (tmp_path / "people.db").write_bytes(b"not a database at all, but long enough to look at" * 40)
    with pytest.raises(StudyError, match="damaged"):
        People.open(tmp_path / "people.db")


def test_urls_are_checked_and_passwords_never_shown():
    with pytest.raises(StudyError, match="mysql"):
        People.open("mysql://u:secret@h/d")
    with pytest.raises(StudyError, match="URL"):
        People.open("nonsense")
    with pytest.raises(StudyError) as caught:
        People.open("postgresql://u:secret@127.0.0.1:1/d")
    assert "secret" not in str(caught.value)


def fill(people: People) -> None:
    with people.write() as connection:
        members.set_owner(connection, "hash", 1.0)
        for name in ("a1", "a2"):
            members.invite(connection, name, "annotator", 2.0)


def test_backup_and_back(people: People, tmp_path: Path):
    fill(people)
    rows = backup(people, tmp_path / "copy.db")
    assert rows["people"] == 3
    assert rows["links"] == 2
    with pytest.raises(InputError, match="already"):
        backup(people, tmp_path / "copy.db")
    with pytest.raises(StudyError, match="holds people's work"):
        restore(people, tmp_path / "copy.db")
    before = (tmp_path / "copy.db").read_bytes()
    with People.open(tmp_path / "elsewhere.db") as other:
        assert restore(other, tmp_path / "copy.db")["people"] == 3
        with other.read() as connection:
            assert [row["id"] for row in members.listing(connection)] == ["owner", "a1", "a2"]
    assert (tmp_path / "copy.db").read_bytes() == before
    assert not list(tmp_path.glob(".copy*"))


def test_a_backup_is_of_one_moment_while_others_write(people: People, tmp_path: Path):
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            with people.write() as connection:  # always two at once
                connection.execute(insert(persons), [person(f"x{number}"), person(f"y{number}")])
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for n in range(3):
            assert backup(people, tmp_path / f"{n}.db")["people"] % 2 == 0
    finally:
        stop.set()
        thread.join()


def test_restoring_into_postgresql_goes_on_counting(postgres_url: str, tmp_path: Path):
    from limakit.store import votes
    from limakit.store.people_schema import assignments

    with People.open(tmp_path / "a.db") as people:
        fill(people)
        with people.write() as connection:
            connection.execute(
                insert(assignments),
                [
                    {"id": n, "person": "a1", "kind": "compare", "position": n, "item": "p", "flipped": False}
                    | {"created": 1.0}
                    for n in (1, 2, 7)
                ],
            )
        backup(people, tmp_path / "b.db")
    with People.open(postgres.empty(postgres_url)) as people:
        restore(people, tmp_path / "b.db")
        with people.write() as connection:
            connection.execute(
                insert(assignments).values(person="a2", kind="compare", position=0, item="p", flipped=True, created=1.0)
            )
            assert votes.queue(connection, "a2", "compare")[0].id == 8


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", None])
def test_what_is_no_backup_is_not_restored(tmp_path: Path, content: bytes | None):
    source = tmp_path / "source.db"
    if content is None:
        sqlite3.connect(source).execute("CREATE TABLE x (y)").connection.close()
    else:
        source.write_bytes(content)
    with People.open(tmp_path / "people.db") as people, pytest.raises(InputError):
        restore(people, source)


def test_links_work_once_and_for_two_weeks(people: People):
    with people.write() as connection:
        secret = members.invite(connection, "a1", "annotator", 0.0)
        assert members.link_holder(connection, secret, 1.0) == members.Person("a1", "annotator")
        assert members.redeem(connection, "wrong", 1.0) is None
        assert members.redeem(connection, secret, 15 * members.DAY) is None
        session = members.redeem(connection, secret, 1.0)
        assert session
        assert members.redeem(connection, secret, 1.0) is None
        assert members.session_holder(connection, session, 2.0) == members.Person("a1", "annotator")
        assert members.session_holder(connection, session, 31 * members.DAY) is None
        stored = connection.execute(text("SELECT token FROM sessions UNION SELECT token FROM links")).scalars().all()
        assert not {secret, session} & set(stored)


def test_a_new_link_ends_the_old_one(people: People):
    with people.write() as connection:
        first = members.invite(connection, "a1", "annotator", 0.0)
        second = members.invite(connection, "a1", "author", 0.0)
        assert members.redeem(connection, first, 1.0) is None
        session = members.redeem(connection, second, 1.0)
        assert session
        assert members.session_holder(connection, session, 1.0) == members.Person("a1", "author")


def test_who_is_removed_is_out_at_once_and_may_be_let_in_again(people: People):
    with people.write() as connection:
        session = members.redeem(connection, members.invite(connection, "a1", "annotator", 0.0), 1.0)
        unused = members.invite(connection, "a1", "annotator", 1.0)
        members.remove(connection, "a1", 2.0)
        assert members.session_holder(connection, session or "", 3.0) is None
        assert members.redeem(connection, unused, 3.0) is None
        again = members.redeem(connection, members.invite(connection, "a1", "annotator", 4.0), 5.0)
        assert members.session_holder(connection, again or "", 6.0)
    with pytest.raises(LimakitError, match="no 'owner'"), people.write() as connection:
        members.remove(connection, "owner", 2.0)


@pytest.mark.parametrize("name", ["", "owner", "A1", "a b", "x" * 33, "a\n", "../a"])
def test_names_that_would_not_do_in_a_file_are_refused(people: People, name: str):
    with pytest.raises(LimakitError, match="name"), people.write() as connection:
        members.invite(connection, name, "annotator", 0.0)


def test_a_new_password_signs_the_owner_out(people: People):
    with people.write() as connection:
        members.set_owner(connection, "one", 0.0)
        session = members.start_session(connection, members.OWNER, 0.0)
        members.set_owner(connection, "two", 1.0)
        assert members.session_holder(connection, session, 2.0) is None
        assert members.owner_password(connection) == "two"
