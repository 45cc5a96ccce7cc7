"""Bring a database of people's work up to the newest migration, in the caller's transaction."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text

from limakit.errors import StudyError

MIGRATIONS = Path(__file__).parent / "migrations"


def newest() -> str:
    """The revision that this version of limakit works with."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert head is not None
    return head


def current(connection: Connection) -> str | None:
    """The revision of a database; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(connection: Connection, name: str) -> None:
    """Run the migrations that are missing. Raises StudyError where the database is newer than limakit."""
    if current(connection) == newest():
        return
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        if "Can't locate revision" not in str(error):
            raise
        raise StudyError(
            "people's work was written by a newer limakit", where=name, fix="Update limakit: pip install -U limakit."
        ) from None
