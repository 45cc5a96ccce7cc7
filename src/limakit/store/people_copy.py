"""Copies of people's work: a backup while everybody goes on working, and the way back.

A backup is always one SQLite file, whatever the database is, so that it can be kept, opened and put back anywhere.
"""

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from sqlalchemy import Connection, MetaData, Table, func, insert, inspect, select, text

from limakit.errors import InputError, StudyError
from limakit.store import files
from limakit.store.people import People
from limakit.store.people_schema import people as persons

VERSION = "alembic_version"
BLOCK = 1000


def backup(people: People, target: Path) -> dict[str, int]:
    """Write all of it, as it is at one moment, to a new file. Returns rows by table.

    Raises InputError where the file is there already, StudyError where the database fails or the copy is not sound.
    """
    if target.exists():
        raise InputError("is there already", where=target, fix="Name a new file; backups are never overwritten.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        copy = Path(folder) / "copy.db"
        if people.is_sqlite:
            _online(people, copy)
        else:
            with People.open(copy) as into, people.read() as source, into.write() as written:
                _copy(source, written)
        rows = _checked(copy)
        os.link(copy, target)  # fails rather than replace a file that came meanwhile
        files.sync_folder(target.parent)
    return rows


def restore(people: People, source: Path) -> dict[str, int]:
    """Put a backup into an empty database. Returns rows by table.

    Raises InputError where the file is no backup, StudyError where the database holds people's work already.
    """
    if not source.is_file():
        raise InputError("no such file", where=source, fix="Name a file made by: limakit people backup.")
    with tempfile.TemporaryDirectory(prefix="limakit-restore-") as folder:
        copy = Path(folder) / "copy.db"
        shutil.copyfile(source, copy)  # opening brings a file up to date; a backup itself is never changed
        _checked(copy)
        with People.open(copy) as old, old.read() as read, people.write() as written:
            if written.execute(select(func.count()).select_from(persons)).scalar():
                raise StudyError(
                    "holds people's work already",
                    where=people.name,
                    fix="Move it away first, or name another database.",
                )
            rows = _copy(read, written)
            if not people.is_sqlite:
                _continue_numbers(written)
    return rows


def _online(people: People, target: Path) -> None:
    """SQLite's own backup: consistent, and writers need not stop."""
    with people.read() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        into = sqlite3.connect(target)
        try:
            raw.backup(into)
            into.execute("PRAGMA journal_mode=DELETE")
        finally:
            into.close()


def _checked(path: Path) -> dict[str, int]:
    """Rows by table of a file that is sound and on the disk."""
    database = sqlite3.connect(path)
    try:
        sound = database.execute("PRAGMA integrity_check").fetchone()[0]
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")]
        if sound != "ok" or VERSION not in names:
            raise InputError("is no sound copy of people's work", where=path.name, fix="Use another backup.")
        counts = {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
    except sqlite3.DatabaseError as error:
        raise InputError(f"is no copy of people's work: {error}", where=path.name, fix="Use another backup.") from None
    finally:
        database.close()
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
    del counts[VERSION]
    return counts


def _copy(source: Connection, target: Connection) -> dict[str, int]:
    """Every row of every table, in an order that references allow."""
    old, new, rows = _tables(source), _tables(target), {}
    for table in new.sorted_tables:
        if table.name == VERSION or table.name not in old.tables:
            continue
        rows[table.name] = 0
        found = source.execution_options(yield_per=BLOCK).execute(select(old.tables[table.name])).mappings()
        for block in found.partitions(BLOCK):
            target.execute(insert(table), [dict(row) for row in block])
            rows[table.name] += len(block)
    return rows


def _tables(connection: Connection) -> MetaData:
    found = MetaData()
    found.reflect(connection)
    return found


def _continue_numbers(connection: Connection) -> None:
    """PostgreSQL counts new rows on from the highest that was copied."""
    for name in inspect(connection).get_table_names():
        table = Table(name, MetaData(), autoload_with=connection)
        for column in table.primary_key:
            if column.server_default is not None and "nextval" in str(getattr(column.server_default, "arg", "")):
                highest = connection.execute(select(func.max(column))).scalar()
                if highest is not None:
                    connection.execute(
                        text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)"),
                        {"table": name, "column": column.name, "highest": highest},
                    )
