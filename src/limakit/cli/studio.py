"""`limakit studio` and `limakit people`: open the studio, and say who may come in."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from limakit.cli.show import Screen
from limakit.errors import LimakitError, typed

if TYPE_CHECKING:
    from limakit.store.people import People
    from limakit.store.study import Study

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of the study.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines for machines.")]
Database = Annotated[
    str | None,
    typer.Option(
        help="URL of a PostgreSQL database; by default people.db in the study.",
        metavar="URL",
        envvar="LIMAKIT_DATABASE",
        show_envvar=True,
    ),
]
people = typer.Typer(help="Say who may come into the studio; back up and exchange their work.", no_args_is_help=True)
LOCAL = ("127.0.0.1", "localhost", "::1")


def studio(
    study: StudyPath,
    host: Annotated[str, typer.Option(help="Address to listen on; others than this computer's need care.")] = LOCAL[0],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = 8400,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Open the studio: review, write, compare blind, grade, see results and chat in the browser."""
    import uvicorn

    from limakit.store.people import People
    from limakit.store.study import PEOPLE_DB, Study
    from limakit.web.app import create_app
    from limakit.web.auth import first_password
    from limakit.web.studio import Studio

    screen, opened = Screen(quiet=False, as_json=as_json), Study(study)
    _ = opened.recipe
    listening = _listen(host, port)
    url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"
    work = People.open(database or opened.path(PEOPLE_DB))
    password = first_password(work, time.time())
    app = create_app(Studio(opened, work), local=host in LOCAL)
    lines = [f"The studio of {opened.name} is at {url}"]
    if password:
        lines.append(f"The owner's password, shown this once: {password}")
    lines.append(f"Invite others: limakit people invite {typed(study)} NAME   ·   Stop with Ctrl-C; nothing is lost.")
    if host not in LOCAL:
        lines.append("It is open to the network over plain HTTP: put a proxy with HTTPS in front of it.")
    screen.result("\n".join(lines), {"url": url, "password": password})
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=5
    )
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        reason = error.strerror or str(error)
        raise LimakitError(
            f"cannot listen on {host}, port {port}: {reason}", fix="Choose another with --port, for example --port 0."
        ) from None


@contextmanager
def _working(study: Path, database: str | None) -> Iterator[tuple["Study", "People"]]:
    """A study whose recipe has been read, and its people's work, closed at the end."""
    from limakit.store.people import People
    from limakit.store.study import PEOPLE_DB, Study

    opened = Study(study)
    _ = opened.recipe
    with People.open(database or opened.path(PEOPLE_DB)) as work:
        yield opened, work


@people.command()
def invite(
    study: StudyPath,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As it will stand beside their votes, such as a1.")],
    role: Annotated[Literal["annotator", "author"], typer.Option(help="Authors also review and write.")] = "annotator",
    address: Annotated[
        str, typer.Option("--at", metavar="URL", help="Where they reach the studio.")
    ] = "http://127.0.0.1:8400",
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make a link that lets one person in once, in one browser; again for a new browser."""
    from limakit.store.members import LINK_DAYS
    from limakit.store.members import invite as make_link

    with _working(study, database) as (_, work), work.write() as connection:
        secret = make_link(connection, name, role, time.time())
    link = f"{address.rstrip('/')}/join/{secret}"
    text = f"Give this link to {name} alone; it works once, within {LINK_DAYS} days:\n{link}"
    Screen(quiet=False, as_json=as_json).result(text, {"person": name, "role": role, "link": link})


@people.command("list")
def show(study: StudyPath, database: Database = None, as_json: Json = False) -> None:
    """Who may come in, and how far they are."""
    from limakit.store.members import listing

    screen = Screen(quiet=False, as_json=as_json)
    with _working(study, database) as (_, work), work.read() as connection:
        rows = listing(connection)
    for row in rows:
        state = ", removed" if row["removed"] else ""
        screen.result(f"{row['id']}: {row['role']}{state}, {row['voted']:,} of {row['assigned']:,} voted", row)
    if not rows:
        screen.say(f"Nobody yet. Next: limakit studio {typed(study)}")


@people.command()
def remove(
    study: StudyPath,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in `limakit people list`.")],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Let somebody in no longer. What they did stays; inviting them again lets them back in."""
    from limakit.store import members

    with _working(study, database) as (_, work), work.write() as connection:
        members.remove(connection, name, time.time())
    Screen(quiet=False, as_json=as_json).result(f"{name} is out; their work stays.", {"removed": name})


@people.command()
def password(study: StudyPath, database: Database = None, as_json: Json = False) -> None:
    """Give the owner a new password and sign the owner's browsers out."""
    from limakit.web.auth import reset_password

    with _working(study, database) as (_, work):
        new = reset_password(work, time.time())
    Screen(quiet=False, as_json=as_json).result(f"The owner's password, shown this once: {new}", {"password": new})


@people.command()
def backup(
    study: StudyPath,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="New file to write.")],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Copy all of people's work to one file while they go on working."""
    from limakit.store.people_copy import backup as copy

    with _working(study, database) as (_, work):
        rows = copy(work, target)
    told = f"{sum(rows.values()):,} rows, {rows.get('votes', 0):,} of them votes, are in {target}"
    then = f"Next, where it is lost: limakit people restore {typed(study)} {typed(target)}"
    Screen(quiet=False, as_json=as_json).result(f"{told}\n{then}", rows)


@people.command()
def restore(
    study: StudyPath,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file made by backup.")],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Put a backup into a study or a database that holds no people's work yet."""
    from limakit.store.people_copy import restore as put_back

    with _working(study, database) as (_, work):
        rows = put_back(work, source)
    Screen(quiet=False, as_json=as_json).result(
        f"{sum(rows.values()):,} rows are back: limakit studio {typed(study)}", rows
    )


@people.command("export")
def export_pairs(
    study: StudyPath,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="New file to write.")],
    layout: Annotated[
        Literal["label-studio", "argilla", "csv"],
        typer.Option("--format", help="Pairs for a tool that others wrote; csv: the votes, as a table."),
    ] = "label-studio",
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Write the blind pairs for Label Studio or Argilla, or the votes as CSV."""
    from limakit.pipeline.exchanging import export

    with _working(study, database) as (opened, work):
        count = export(opened, work, layout, target)
    what = "votes" if layout == "csv" else "pairs"
    more = "" if layout == "csv" else f"\nNext, with their votes: limakit people import {typed(study)} EXPORT.json"
    data = {"file": str(target), what: count}
    Screen(quiet=False, as_json=as_json).result(f"{count:,} {what} are in {target}{more}", data)


@people.command("import")
def import_votes(
    study: StudyPath,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="JSON export of Label Studio or Argilla.")],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Take in votes that were given in Label Studio or Argilla; the same file again adds nothing."""
    from limakit.pipeline.exchanging import take_in

    with _working(study, database) as (opened, work):
        counts = take_in(opened, work, source, time.time())
    more = [f"{counts[name]:,} {words}" for name, words in _NOT_STORED.items() if counts[name]]
    text = "".join(f", {part}" for part in more)
    screen = Screen(quiet=False, as_json=as_json)
    screen.result(
        f"{counts['stored']:,} of {counts['votes']:,} votes stored{text}\nNext: limakit report {typed(study)}", counts
    )


_NOT_STORED = {
    "known": "known already",
    "outdated": "on pairs that are not in this study",
    "later": "a second vote of one person on a pair",
}
