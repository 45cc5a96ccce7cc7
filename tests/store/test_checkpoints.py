"""Folders appear whole or not at all, and a full disk is told as one, whoever noticed it."""

import errno
from pathlib import Path

import pytest

from limakit.store import checkpoints


class Theirs(BaseException):
    """As torch's CheckpointException, which is no Exception."""


@pytest.mark.parametrize("kind", [Exception, RuntimeError, Theirs])
def test_a_full_disk_is_told_as_one_and_half_a_folder_is_gone(tmp_path: Path, kind: type[BaseException]) -> None:
    def fill(folder: Path) -> None:
        (folder / "half").write_bytes(b"x" * 1000)
        raise kind("writing failed: No space left on device (os error 28)")

    checkpoints.publish_folder(tmp_path / "good", lambda folder: None)
    with pytest.raises(OSError, match="No space left") as caught:
        checkpoints.publish_folder(tmp_path / "run", fill)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "run"))
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


def test_another_error_stays_what_it_is(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        checkpoints.publish_folder(tmp_path / "run", fill)
    assert not list(tmp_path.iterdir())
