"""The database of people's work: SQLite in the study's folder, or PostgreSQL by URL.

    with People.open(study.path("people.db")) as people:          # or People.open("postgresql://…")
        with people.read() as connection:                          # a snapshot, as many at once as you like
            rows = connection.execute(select(votes)).all()
        with people.write() as connection:                         # one at a time; committed and synced at the end
            connection.execute(insert(votes).values(…))            # an exception rolls all of it back

SQLite runs in WAL mode with `synchronous=FULL`, so what `write` has returned from survives a kill and a power cut. One
lock lets one thread write at a time, and BEGIN IMMEDIATE one process. Do nothing slow inside `write`.

A module that needs tables of its own declares them on `people_schema.metadata`, and adds a migration to
`migrations/versions` (`revision` counts up, `down_revision` is the one before). `open` brings a database up to date;
a test compares the tables with the migrations.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from limakit.errors import MissingExtra, StudyError

BUSY_SECONDS = 60
"""How long a writer waits for another process."""


class People:
    """An open database. Its methods may be called from any thread."""

    def __init__(self, engine: Engine, name: str):
        self.engine, self.name = engine, name
        self._writer = engine.execution_options(limakit_writes=True)
        self._writing = threading.Lock()

    @classmethod
    def open(cls, place: Path | str) -> "People":
        """Open the database, make it where there is none, bring it up to date.

        `place` is a file for SQLite or a URL for PostgreSQL. Raises StudyError where it cannot be opened, and
        MissingExtra where the driver for PostgreSQL is not installed.
        """
        from limakit.store.people_upgrade import upgrade

        url = _url(place)
        name = url.render_as_string(hide_password=True) if url.get_backend_name() != "sqlite" else str(place)
        people = cls(_engine(url), name)
        try:
            with people.write() as connection:
                upgrade(connection, people.name)
        except BaseException:
            people.close()
            raise
        return people

    def close(self) -> None:
        """Close every connection. SQLite then folds its write-ahead log into the file."""
        self.engine.dispose()

    def __enter__(self) -> "People":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a file."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection on one consistent snapshot. Raises StudyError where the database fails."""
        with self._mended(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction that nobody else writes beside. Committed when the block ends, rolled back when
        it raises. Raises StudyError where the database fails; constraints that do not hold raise IntegrityError."""
        with self._writing, self._mended(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _mended(self) -> Iterator[None]:
        """Errors of the database server or file, in one line with what to do."""
        from sqlalchemy.exc import IntegrityError, OperationalError, TimeoutError

        try:
            yield
        except IntegrityError:
            raise
        except (OperationalError, TimeoutError, sqlite3.OperationalError) as error:
            cause = str(getattr(error, "orig", error)).strip().splitlines()[0]
            fix = "Free some space or check its owner and mode." if self.is_sqlite else "Check that the server runs."
            raise StudyError(f"people's work cannot be reached: {cause}", where=self.name, fix=fix) from None
        except DBAPIError as error:
            if not self.is_sqlite or not isinstance(error.orig, sqlite3.DatabaseError):
                raise
            fix = "Restore it from a copy made by: limakit people backup."
            raise StudyError(f"is damaged: {error.orig}", where=self.name, fix=fix) from None


def _url(place: Path | str) -> URL:
    """The place as a URL with the driver that we use."""
    if isinstance(place, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
        return URL.create("sqlite+pysqlite", database=str(place))
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):
        raise StudyError(
            "--database is not a URL", fix="Write it as postgresql://user:password@host/name, or leave it out."
        ) from None
    if url.get_backend_name() in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise StudyError(
        f"--database: {url.get_backend_name()!r} is not a database that limakit knows",
        fix="Use postgresql://…, or leave it out for SQLite in the study's folder.",
    )


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        try:
            return create_engine(url, pool_size=10, max_overflow=40, pool_pre_ping=True)
        except (ModuleNotFoundError, NoSuchModuleError):
            raise MissingExtra("PostgreSQL needs psycopg, which is not installed", "postgres") from None
    engine = create_engine(url, pool_size=10, max_overflow=40, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _: object) -> None:
    """Every SQLite connection: we begin transactions ourselves, log ahead, sync every commit, keep references whole."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("limakit_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
