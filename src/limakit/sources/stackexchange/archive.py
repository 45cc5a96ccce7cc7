"""Tables out of a .7z: streamed through the system's 7zz or 7z, else through py7zr; names in it are never followed."""

import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import IO

from limakit.errors import InputError, MissingExtra
from limakit.sources.stackexchange.find import Dump, check_ends
from limakit.store import files

BLOCK = 1 << 20
RESERVE = 256 << 20
SMALL = 64 << 20
MOST_UNPACKED = 200
"""Times its own size that an archive may unpack to, if that is more than SMALL."""
_DAMAGED = "is damaged or truncated, or no .7z archive: it cannot be unpacked"
_SPACE = "Free space or use another disk."
_FIX = "Fetch the archive again, or unpack it yourself and name its folder."


def unpacked(work: tuple[Dump, Path]) -> Dump:
    """The dump as plain XML files in a folder. Raises InputError where it has no posts, or they are damaged."""
    dump, scratch = work
    tables = {"Posts": dump.posts, "Users": dump.users, "Comments": dump.comments}
    wanted: dict[Path, dict[str, Path]] = {}
    for table, archive in tables.items():
        if archive is not None:
            wanted.setdefault(archive, {})[f"{table}.xml"] = scratch / f"{table}.xml"
    got = {name: wanted[archive][name] for archive in wanted for name in unpack(archive, wanted[archive])}
    if "Posts.xml" not in got:
        raise InputError("has no Posts.xml in it", where=dump.posts, fix="Name an archive of the data dump.")
    check_ends(got["Posts.xml"], dump.posts)
    return replace(dump, posts=got["Posts.xml"], users=got.get("Users.xml"), comments=got.get("Comments.xml"))


def unpack(archive: Path, wanted: Mapping[str, Path]) -> frozenset[str]:
    """Write tables of an archive, by name, each to its file; the names of those that the archive has.

    7-Zip decodes the archive once for all of them: those of the data dump are one solid block. Raises InputError where
    the archive is damaged or does not fit on the disk, MissingExtra where nothing can read it.
    """
    if archive.stat().st_size < 32:
        raise InputError("is too short for a .7z archive", where=archive, fix=_FIX)
    tool = shutil.which("7zz") or shutil.which("7z")
    return _by_tool(tool, archive, wanted) if tool else _by_py7zr(archive, wanted)


def _while_it_fits(blocks: Iterator[bytes], archive: Path, folder: Path) -> Iterator[bytes]:
    """The blocks, as long as the disk keeps RESERVE bytes free: what a header says about sizes proves nothing."""
    for block in blocks:
        if shutil.disk_usage(folder).free < RESERVE:
            raise InputError("unpacks to more than the disk holds", where=archive, fix=_SPACE)
        yield block


def _by_tool(tool: str, archive: Path, wanted: Mapping[str, Path]) -> frozenset[str]:
    """By the system's 7-Zip, which writes members one after the other to its standard output."""
    members = _listed(tool, archive, wanted)
    if not members:
        return frozenset()
    folder = wanted[members[0][0]].parent
    folder.mkdir(parents=True, exist_ok=True)
    _check_size(sum(size for _, size in members), archive, folder)
    command = [tool, "e", "-so", "-p", "-bd", "-y", "--", str(archive), *dict(members)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        try:
            for name, size in members:
                files.publish(
                    wanted[name], _while_it_fits(_piece(run.stdout, size, archive), archive, wanted[name].parent)
                )
            more = run.stdout.read(1)
        except BaseException:
            run.kill()
            raise
    if run.returncode != 0 or more:
        raise InputError(_DAMAGED, where=archive, fix=_FIX)
    return frozenset(dict(members))


def _listed(tool: str, archive: Path, wanted: Mapping[str, Path]) -> list[tuple[str, int]]:
    """Names and sizes of the wanted members, in the order of the archive, which may list millions of others."""
    command = [tool, "l", "-slt", "-ba", "-p", "-sccUTF-8", "--", str(archive)]
    members: list[tuple[str, int]] = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        name = ""
        for line in run.stdout:
            key, _, told = line.decode(errors="replace").rstrip("\r\n").partition(" = ")
            if key == "Size" and name in wanted:
                members.append((name, int(told) if told.isdecimal() else 0))
            name = told if key == "Path" else ""
    if run.returncode != 0:
        raise InputError(_DAMAGED, where=archive, fix=_FIX)
    if len(dict(members)) < len(members):
        raise InputError("holds a table twice", where=archive, fix=_FIX)
    return members


def _check_size(size: int, archive: Path, folder: Path) -> None:
    """Raise InputError where tables of `size` bytes do not fit on the disk, or do not go with an archive of this size:
    text is packed to a tenth, and to a hundredth only where it says one thing over and over."""
    if size > max(SMALL, MOST_UNPACKED * archive.stat().st_size):
        raise InputError(
            f"unpacks to {size:,} bytes, {MOST_UNPACKED} times its size and more, which no data dump does",
            where=archive,
            fix="Fetch it from where the dump is published; to use it all the same, unpack it and name its folder.",
        )
    if size > (free := shutil.disk_usage(folder).free):
        raise InputError(f"unpacks to {size:,} bytes, {free:,} are free", where=archive, fix=_SPACE)


def _piece(stream: IO[bytes], size: int, archive: Path) -> Iterator[bytes]:
    """The next `size` bytes."""
    while size:
        block = stream.read(min(size, BLOCK))
        if not block:
            raise InputError(_DAMAGED, where=archive, fix=_FIX)
        size -= len(block)
        yield block


def _by_py7zr(archive: Path, wanted: Mapping[str, Path]) -> frozenset[str]:
    """By py7zr, a member at a time."""
    found = set()
    for member, to in wanted.items():
        blocks = _pulled(archive, member, to)
        first = next(blocks, None)
        if first is not None:
            files.publish(to, _while_it_fits(chain([first], blocks), archive, to.parent))
            found.add(member)
    return frozenset(found)


def _pulled(archive: Path, member: str, to: Path) -> Iterator[bytes]:
    """Blocks of a member by py7zr, whose unpacking pushes: a thread and a bounded queue turn it round."""
    try:
        import py7zr
        from py7zr.io import Py7zIO, WriterFactory
    except ImportError:
        raise MissingExtra("reading .7z archives needs 7-Zip (7zz, 7z) or py7zr", "7z") from None
    blocks: queue.Queue[bytes | Exception | None] = queue.Queue(8)
    stopped = threading.Event()

    class Pipe(Py7zIO):
        def __init__(self) -> None:
            self.count = 0

        def write(self, s: bytes | bytearray) -> int:
            if stopped.is_set():
                raise BrokenPipeError
            blocks.put(bytes(s))
            self.count += len(s)
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None:
            pass

        def size(self) -> int:
            return self.count

    class Factory(WriterFactory):
        def create(self, filename: str) -> Py7zIO:
            return Pipe()

    def work() -> None:
        try:
            with py7zr.SevenZipFile(archive) as opened:
                sizes = {info.filename: info.uncompressed for info in opened.list() if not info.is_directory}
                if member in sizes:
                    _check_size(sizes[member], archive, to.parent)
                    opened.extract(targets=[member], factory=Factory())
            blocks.put(None)
        except BrokenPipeError:
            pass
        except InputError as error:
            blocks.put(error)
        except Exception as error:  # a hostile archive makes py7zr raise anything, and silence would hang the reader
            blocks.put(error)

    thread = threading.Thread(target=work, daemon=True)
    to.parent.mkdir(parents=True, exist_ok=True)
    thread.start()
    try:
        while (block := blocks.get()) is not None:
            if isinstance(block, InputError):
                raise block
            if isinstance(block, Exception):
                raise InputError(_DAMAGED, where=archive, fix=_FIX) from None
            if block:
                yield block
    finally:
        stopped.set()
        while thread.is_alive():
            try:
                blocks.get(timeout=0.05)
            except queue.Empty:
                continue
