"""Folders as users have them: with links to other disks, links in a circle, links that lead nowhere."""

from pathlib import Path

import pytest

from limakit.errors import InputError
from limakit.sources.given import files_in, find
from limakit.sources.stackexchange.find import find_dumps
from tests.sources.dumps import answer, dump, question


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """`dumps` is a link to a folder with one site in it, a link to another, and links that lead back or nowhere."""
    disk = tmp_path / "disk"
    dump(disk / "sites" / "coffee", [question(1), answer(2, 1)])
    dump(tmp_path / "other" / "9f3c", [question(3), answer(4, 3)])
    (disk / "sites" / "beer").symlink_to(tmp_path / "other" / "9f3c")
    (disk / "sites" / "again").symlink_to(disk / "sites" / "coffee")
    (disk / "sites" / "up").symlink_to(disk)
    (disk / "sites" / "coffee" / "round").symlink_to(disk / "sites")
    (disk / "sites" / "gone").symlink_to(tmp_path / "nowhere")
    (disk / "sites" / "Posts.xml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "dumps").symlink_to(disk / "sites")
    return tmp_path / "dumps"


def test_links_to_sites_are_followed_once_each(linked: Path) -> None:
    assert [(dump.site, dump.label) for dump in find_dumps(linked)] == [
        ("beer", "beer/Posts.xml"),
        ("coffee", "coffee/Posts.xml"),
    ]


def test_a_folder_that_is_a_link_to_a_site_is_that_site(linked: Path) -> None:
    assert [(dump.site, dump.label) for dump in find_dumps(linked / "beer")] == [("beer", "Posts.xml")]


def test_files_of_other_sources_are_found_behind_links(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.jsonl").write_text("{}")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "more").symlink_to(tmp_path / "disk")
    (tmp_path / "in" / "b.jsonl").symlink_to(tmp_path / "disk" / "a.jsonl")
    assert [file.label for file in find(tmp_path / "in", (".jsonl",), "a file")] == ["b.jsonl", "more/a.jsonl"]


def test_a_folder_that_must_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    scan = __import__("os").scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(InputError, match=r"closed: cannot be read: Permission denied"):
        files_in(tmp_path)
