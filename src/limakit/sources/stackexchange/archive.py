"""Tables out of a .7z: streamed through the system's 7zz or 7z, else through py7zr; names in it are never followed."""

import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from limakit.errors import InputError, MissingExtra
from limakit.store import files

BLOCK = 1 << 20
RESERVE = 256 << 20
_FIX = "Fetch the archive again, or unpack it yourself and name its folder."


def unpack(archive: Path, member: str, to: Path) -> bool:
    """Write one table of an archive to `to`, whole or not at all. False where the archive has no such table.

    Raises InputError where the archive is damaged or does not fit on the disk, MissingExtra where nothing can read it.
    """
    if archive.stat().st_size < 32:
        raise InputError("is too short for a .7z archive", where=archive, fix=_FIX)
    tool = shutil.which("7zz") or shutil.which("7z")
    blocks = _by_tool(tool, archive, member) if tool else _by_py7zr(archive, member, to)
    first = next(blocks, None)
    if first is None:
        return False
    files.publish(to, _while_it_fits(chain([first], blocks), archive, to.parent))
    return True


def _while_it_fits(blocks: Iterator[bytes], archive: Path, folder: Path) -> Iterator[bytes]:
    """The blocks, as long as the disk keeps RESERVE bytes free: what a header says about sizes proves nothing."""
    for block in blocks:
        if shutil.disk_usage(folder).free < RESERVE:
            raise InputError(
                "unpacks to more than the disk holds", where=archive, fix="Free space or use another disk."
            )
        yield block


def _by_tool(tool: str, archive: Path, member: str) -> Iterator[bytes]:
    """Blocks of a member by the system's 7-Zip, which unpacks to standard output."""
    command = [tool, "e", "-so", "-p", "-bd", "-y", "--", str(archive), member]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        while block := run.stdout.read(BLOCK):
            yield block
    if run.returncode != 0:
        raise InputError("is damaged or truncated: 7-Zip cannot unpack it", where=archive, fix=_FIX)


def _by_py7zr(archive: Path, member: str, to: Path) -> Iterator[bytes]:
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
                    free = shutil.disk_usage(to.parent).free
                    if sizes[member] > free:
                        raise InputError(f"unpacks to {sizes[member]:,} bytes, {free:,} are free", where=archive)
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
                raise InputError("is damaged or truncated, or no .7z archive", where=archive, fix=_FIX) from None
            if block:
                yield block
    finally:
        stopped.set()
        while thread.is_alive():
            try:
                blocks.get(timeout=0.05)
            except queue.Empty:
                continue
