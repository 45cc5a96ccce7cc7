"""Paid calls in SQLite: what was about to be sent, what came back, what it cost, and a cap that holds.

Every attempt is a row, written and synced before anything is sent, with the most that it can cost set aside. What came
back is committed as raw bytes before anybody looks into it. So a kill at any moment loses no answer that was stored,
and money that may have been spent stays counted: an attempt that never came back keeps what was set aside.

Money is whole numbers of 1e-12 of the currency, in which a price per million tokens is a whole number per token.

One thread writes. Whatever waits for it goes into one transaction and one sync, so many callers at once cost little
more than one.
"""

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from limakit.errors import StudyError

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], Any]

UNIT = 10**12
"""Money in the ledger that makes one of the currency."""

_TABLES = """
CREATE TABLE IF NOT EXISTS account (
    name TEXT PRIMARY KEY,
    used INTEGER NOT NULL DEFAULT 0     -- costs of settled attempts, and what is set aside for the others
) STRICT;
CREATE TABLE IF NOT EXISTS attempt (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,                  -- digest of what is sent and where
    account TEXT NOT NULL,
    state TEXT NOT NULL,                -- 'sent', 'answered', or the kind of failure
    held INTEGER NOT NULL,              -- set aside: the most that it can cost; 0 once settled
    cost INTEGER,                       -- NULL until settled
    body BLOB                           -- the raw answer
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS answered ON attempt (key) WHERE state = 'answered';
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """One raw answer that was bought before."""

    ticket: int
    body: bytes
    cost: int | None
    """None where a kill came between the answer and its bill; `Ledger.settle` mends it."""


class Ledger:
    """The ledger of a study. Use it as a context manager; its methods may be called from any thread.

    Raises StudyError where the file is damaged or the disk is full.
    """

    def __init__(self, path: Path):
        self._path = path
        self._queue: queue.SimpleQueue[tuple[Job, Future[Any]] | None] = queue.SimpleQueue()

    def __enter__(self) -> "Ledger":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        ready: Future[None] = Future()
        self._writer = threading.Thread(target=self._write, args=(ready,), name="ledger", daemon=True)
        self._writer.start()
        ready.result()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._writer.join()

    def stored(self, keys: Iterable[str]) -> dict[str, Stored]:
        """The raw answers there are to these keys."""
        return self._do(lambda db: _stored(db, keys)).result()

    def used(self, account: str) -> int:
        """Money that this account has spent or may have spent."""
        return self._do(lambda db: _used(db, account)).result()

    def reserve(self, account: str, key: str, most: int, budget: int) -> int | None:
        """Set `most` aside and write down that `key` is about to be sent. Returns the attempt's ticket, or None, with
        nothing written, where the account could pass `budget`. Once this returns, the row is on the disk."""
        return self._do(lambda db: _reserve(db, account, key, most, budget)).result()

    def keep(self, ticket: int, body: bytes) -> None:
        """Store the raw answer. Once this returns it is on the disk; what was set aside stays so until `settle`."""
        self._do(lambda db: _keep(db, ticket, body)).result()

    def settle(self, ticket: int, cost: int | None) -> None:
        """The bill of a stored answer; None where it does not say, and what was set aside counts as spent. Does not
        wait for the disk: lost in a kill, it is reckoned again from the stored answer."""
        self._do(lambda db: _close(db, ticket, cost, None))

    def fail(self, ticket: int, kind: str, *, charged: bool) -> None:
        """No answer. `charged` where the server may have worked for it: what was set aside then counts as spent."""
        self._do(lambda db: _close(db, ticket, None if charged else 0, kind))

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        done: Future[T] = Future()
        self._queue.put((work, done))
        return done

    def _write(self, ready: "Future[None]") -> None:
        """The writing thread: open, then one transaction for whatever has gathered, until told to end."""
        try:
            db = sqlite3.connect(self._path, isolation_level=None, timeout=60)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(_TABLES)
        except sqlite3.Error as error:
            ready.set_exception(self._broken(error))
            return
        ready.set_result(None)
        while (first := self._queue.get()) is not None:
            batch, last = [first], False
            while not self._queue.empty() and not last:
                item = self._queue.get()
                last = item is None
                batch += [item] if item else []
            self._commit(db, batch)
            if last:
                break
        db.close()

    def _commit(self, db: sqlite3.Connection, batch: "list[tuple[Job, Future[Any]]]") -> None:
        try:
            db.execute("BEGIN IMMEDIATE")
            results = [work(db) for work, _ in batch]
            db.execute("COMMIT")
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            for _, done in batch:
                done.set_exception(self._broken(error))
        else:
            for (_, done), result in zip(batch, results, strict=True):
                done.set_result(result)

    def _broken(self, error: sqlite3.Error) -> StudyError:
        fix = "Free some space, or restore the file; answers are bought again where it is missing."
        return StudyError(f"the ledger of paid calls cannot be used: {error}", where=self._path, fix=fix)


def _stored(db: sqlite3.Connection, keys: Iterable[str]) -> dict[str, Stored]:
    found = {}
    for key in keys:
        row = db.execute("SELECT id, body, cost FROM attempt WHERE key=? AND state='answered'", (key,)).fetchone()
        if row:
            found[key] = Stored(*row)
    return found


def _used(db: sqlite3.Connection, account: str) -> int:
    row = db.execute("SELECT used FROM account WHERE name=?", (account,)).fetchone()
    return row[0] if row else 0


def _reserve(db: sqlite3.Connection, account: str, key: str, most: int, budget: int) -> int | None:
    db.execute("INSERT OR IGNORE INTO account (name) VALUES (?)", (account,))
    taken = db.execute("UPDATE account SET used=used+? WHERE name=? AND used+?<=?", (most, account, most, budget))
    if not taken.rowcount:
        return None
    new = db.execute("INSERT INTO attempt (key, account, state, held) VALUES (?,?,'sent',?)", (key, account, most))
    return new.lastrowid


def _keep(db: sqlite3.Connection, ticket: int, body: bytes) -> None:
    db.execute("UPDATE attempt SET state='answered', body=? WHERE id=?", (body, ticket))


def _close(db: sqlite3.Connection, ticket: int, cost: int | None, failure: str | None) -> None:
    """Replace what is set aside by the cost, once; None is all of it."""
    account, held, settled = db.execute("SELECT account, held, cost FROM attempt WHERE id=?", (ticket,)).fetchone()
    if settled is None:
        paid = held if cost is None else cost
        db.execute("UPDATE account SET used=used+? WHERE name=?", (paid - held, account))
        db.execute("UPDATE attempt SET held=0, cost=?, state=COALESCE(?, state) WHERE id=?", (paid, failure, ticket))
