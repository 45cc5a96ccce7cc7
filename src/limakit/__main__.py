"""`limakit` and `python -m limakit`: run a command, turn what the user can mend into one line and exit code 2."""

import errno
import os
import sys

from limakit.errors import LimakitError

FULL = {errno.ENOSPC: "free some space", errno.EDQUOT: "free some space", errno.EROFS: "make it writable"}

STOPPED = 130


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 a check found something, 2 something to mend, 130 interrupted."""
    # Idle threads of torch's OpenMP sleep instead of spinning: on shared cores that is several times faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # pydantic would look through all installed packages for plugins: a tenth of a second that nothing here needs.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Arrow's own pool keeps what it has freed: a tenth of what curation takes.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    from limakit.cli.app import app

    try:
        app()
    except LimakitError as error:
        sys.exit(_fail(str(error)))
    except SystemExit as ended:
        if ended.code == STOPPED:  # which is what typer makes of Ctrl-C
            print("limakit: stopped. Run the same command again to go on.", file=sys.stderr)  # noqa: T201
        raise
    except OSError as error:
        if isinstance(error, NotADirectoryError | FileExistsError) and error.filename:
            sys.exit(_fail(f"{error.filename}: a file is where a folder should be. Choose another name."))
        if error.errno not in FULL and not isinstance(error, PermissionError):
            raise
        fix = FULL.get(error.errno or 0, "check its owner and mode")
        sys.exit(_fail(f"{error.filename or 'disk'}: {error.strerror}. Nothing was lost: {fix} and run again."))


def _fail(message: str) -> int:
    if "--json" in sys.argv:
        import orjson

        sys.stdout.write(orjson.dumps({"error": message}).decode() + "\n")
    print(f"limakit: {message}", file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    main()
