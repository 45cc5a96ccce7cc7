"""Folders that are published whole, with the digest of every file, and logs that grow by a line."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from limakit.errors import InputError, ModelError
from limakit.store import files

CHECKSUMS = "checksums.json"
_FULL = os.strerror(errno.ENOSPC)


def publish_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a temporary folder, then put it in place in one rename.

    The folder gets a `checksums.json` with the SHA-256 of every file in it. All is synced before the rename, so that
    a folder with its final name is complete. An older folder of that name is replaced. Where `fill` fails, nothing is
    left of what it wrote. Raises OSError where the disk is full.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    remove(temporary)
    temporary.mkdir(parents=True)
    try:
        fill(temporary)
    except BaseException as error:  # half a folder helps nobody, and may be what filled the disk
        remove(temporary)
        if _FULL in str(error) and not isinstance(error, OSError):  # libraries say it in errors of their own
            raise OSError(errno.ENOSPC, _FULL, str(folder)) from None
        raise
    names = sorted(path.relative_to(temporary).as_posix() for path in temporary.rglob("*") if path.is_file())
    for name in names:
        _sync(temporary / name)
    files.publish_json(temporary / CHECKSUMS, {name: files.sha256(temporary / name) for name in names})
    remove(folder)
    temporary.rename(folder)
    files.sync_folder(folder.parent)


def copy_files(source: Path, target: Path) -> None:
    """Copy the files of a published folder, checksums apart, into a folder that is being filled.

    Raises ModelError where the source is not as it was published.
    """
    if not intact(source):
        raise ModelError("is damaged: its files are not those that were published", where=source, fix="Train it again.")
    for name in files.read_json(source / CHECKSUMS):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def intact(folder: Path) -> bool:
    """Whether a published folder still has every file with the bytes it was published with."""
    try:
        known = files.read_json(folder / CHECKSUMS)
        return all(files.sha256(folder / name) == digest for name, digest in known.items())
    except (OSError, InputError, AttributeError):
        return False


def remove(folder: Path) -> None:
    """Remove a folder where there is one."""
    if folder.exists():
        shutil.rmtree(folder)


def append_line(path: Path, record: Any) -> None:
    """Add one JSON line. Not synced: whoever reads the log after a crash takes it from the last published folder."""
    with open(path, "ab") as log:
        log.write(orjson.dumps(record) + b"\n")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
