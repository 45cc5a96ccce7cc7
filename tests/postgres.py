"""A real PostgreSQL server from the distribution's package: in a folder of its own, by a user of its own, on a socket
that only this machine has."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)


def programs() -> Path | None:
    """Folder of the newest server that is installed."""
    found = shutil.which("initdb")
    return PLACES[0] if PLACES else Path(found).parent if found else None


@contextmanager
def server(*, durable: bool = False) -> Iterator[str]:
    """A server's URL while it runs. Without `durable` it does not wait for the disk, which tests need not."""
    binaries = programs()
    assert binaries is not None, "no PostgreSQL server is installed"
    folder = Path(tempfile.mkdtemp(prefix="limakit-pg-"))
    user, options = _other_user()
    try:
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data = folder / "data"
        _run(
            [binaries / "initdb", "-D", data, "-U", "limakit", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"], options
        )
        settings = f"-k {folder} -c listen_addresses= -c max_connections=100 -c fsync={'on' if durable else 'off'}"
        start = [binaries / "pg_ctl", "-D", data, "-w", "-t", "60", "-o", settings, "-l", folder / "log", "start"]
        _run(start, options)
        try:
            yield f"postgresql://limakit@/postgres?host={folder}"
        finally:
            _run([binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def empty(url: str) -> str:
    """Throw away all that the database holds."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


def _other_user() -> tuple[pwd.struct_passwd | None, dict]:
    """PostgreSQL refuses to run as root; then it runs as the package's user, or as nobody."""
    if os.geteuid() != 0:
        return None, {}
    names = [entry.pw_name for entry in pwd.getpwall()]
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return user, {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _run(command: list[object], options: dict) -> None:
    done = subprocess.run(
        [str(part) for part in command], cwd="/", capture_output=True, text=True, timeout=120, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
