"""Dumps among the files that a user names: Posts.xml, archives, folders of either; each checked before work begins."""

import re
from dataclasses import dataclass
from pathlib import Path

from limakit.errors import InputError
from limakit.sources.stackexchange import rows
from limakit.sources.stackexchange.names import site_of
from limakit.sources.stackexchange.sites import group_of

HEAD = 1 << 20
_OTHER_TABLE = re.compile(r"-(?:Badges|Comments|PostHistory|PostLinks|Tags|Users|Votes)$", re.IGNORECASE)
_FIX = "Name a Posts.xml, a .7z of the data dump, or a folder of them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """One dump of one site. `posts` and `users` are XML files; for an archive that is not yet unpacked, the archive."""

    site: str
    group: str
    label: str
    """The file as the recipe's path leads to it; the same on every machine."""
    posts: Path
    users: Path | None = None

    @property
    def packed(self) -> bool:
        """Whether `posts` is an archive."""
        return self.posts.suffix.lower() == ".7z"


def find_dumps(path: Path, group: str | None = None) -> list[Dump]:
    """All dumps at `path`, in the order of their names. `group` overrides the table of known sites.

    Raises InputError where there is none or one of them is not what it claims to be.
    """
    if path.is_file():
        return [_dump(path, path.parent, group)]
    if not path.is_dir():
        raise InputError("no such file or folder", where=path, fix=_FIX)
    files = sorted(p for p in path.rglob("*") if p.is_file() and _is_posts(p))
    if not files:
        raise InputError("no Posts.xml and no .7z in this folder", where=path, fix=_FIX)
    return [_dump(file, path, group) for file in files]


def _is_posts(path: Path) -> bool:
    name = path.name.lower()
    return (
        name == "posts.xml"
        or name.endswith("-posts.xml")
        or (name.endswith(".7z") and not _OTHER_TABLE.search(path.stem))
    )


def _dump(path: Path, root: Path, group: str | None) -> Dump:
    named = path.resolve().parent.name if path.name.lower() == "posts.xml" else path.name
    site = site_of(named)
    users = path.with_name(re.sub(r"(?i)posts(?=\.(?:xml|7z)$)", "Users", path.name))
    if path.suffix.lower() == ".7z":
        users = users if users.is_file() else path
    else:
        check_head(path)
        users = users if users != path and users.is_file() else None
    label = path.relative_to(root).as_posix()
    return Dump(site=site, group=group or group_of(site), label=label, posts=path, users=users)


def check_head(path: Path, name: object = None) -> None:
    """Raise InputError unless the file begins as a table of posts does."""
    where = name or path
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("is UTF-16; the data dump is UTF-8", where=where, fix="Convert it to UTF-8 and run again.")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith(b"<"):
        raise InputError("is empty" if not start else "is not XML", where=where, fix=_FIX)
    at = head.find(b"<row ")
    if at < 0:
        raise InputError("holds no posts (no <row …/> in it)", where=where, fix=_FIX)
    if b"PostTypeId" not in head:
        raise InputError(
            "is not a Posts.xml of the Stack Exchange data dump: its rows have no PostTypeId", where=where, fix=_FIX
        )
    if rows.leftover(head[:at]) and b"<posts" not in head[:at]:
        raise InputError("is not a Posts.xml: its rows are not within <posts>", where=where, fix=_FIX)
