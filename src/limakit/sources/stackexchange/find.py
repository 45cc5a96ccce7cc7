"""Dumps among the files that a user names: Posts.xml, archives, folders of either; each checked before work begins."""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from limakit.errors import InputError
from limakit.sources.given import files_in
from limakit.sources.stackexchange import rows
from limakit.sources.stackexchange.names import site_of
from limakit.sources.stackexchange.sites import group_of

HEAD = 1 << 20
TAIL = 1 << 16
_OTHER_TABLE = re.compile(r"-(?:Badges|Comments|PostHistory|PostLinks|Tags|Users|Votes)$", re.IGNORECASE)
_FIX = "Name a Posts.xml, a .7z of the data dump, or a folder of them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """One dump of one site. Its tables are XML files; for an archive that is not yet unpacked, the archive."""

    site: str
    group: str
    label: str
    """The file as the recipe's path leads to it; the same on every machine."""
    posts: Path
    users: Path | None = None
    comments: Path | None = None
    """Only where dialogues are asked for."""

    @property
    def packed(self) -> bool:
        """Whether `posts` is an archive."""
        return self.posts.suffix.lower() == ".7z"


def find_dumps(
    path: Path, group: str | None = None, groups: Mapping[str, str] | None = None, *, comments: bool = False
) -> list[Dump]:
    """All dumps at `path`, in the order of their names, with their comments if asked.

    A site's stratum is that in `groups`, else `group`, else that of the table of known sites. Raises InputError where
    there is no dump, one is not what it claims to be, `groups` names a site of which there is none, or comments are
    asked for and no dump has any.
    """
    found = [
        _dump(file, path if path.is_dir() else path.parent, group, groups or {}, comments) for file in _files(path)
    ]
    sites = {dump.site for dump in found}
    for site in groups or ():
        if site not in sites:
            near = ", ".join(difflib.get_close_matches(site, sorted(sites), 3, 0.0))
            raise InputError(f"no dump of the site {site!r}, which groups names", where=path, fix=f"Nearest: {near}.")
    if comments and not any(dump.comments for dump in found):
        fix = "Put Comments.xml beside Posts.xml, or set dialogues = false."
        raise InputError("has no comments to make dialogues of", where=path, fix=fix)
    return found


def _files(path: Path) -> list[Path]:
    """The files of posts at a path."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError("no such file or folder", where=path, fix=_FIX)
    files = [file for file in files_in(path) if _is_posts(file)]
    if not files:
        raise InputError("no Posts.xml and no .7z in this folder", where=path, fix=_FIX)
    return files


def _is_posts(path: Path) -> bool:
    name = path.name.lower()
    return (
        name == "posts.xml"
        or name.endswith("-posts.xml")
        or (name.endswith(".7z") and not _OTHER_TABLE.search(path.stem))
    )


def _dump(path: Path, root: Path, group: str | None, groups: Mapping[str, str], comments: bool) -> Dump:
    # Links keep the names that they have here: what they lead to may be named by a disk or a hash.
    whole = Path(os.path.abspath(path))  # noqa: PTH100 (resolve() follows links)
    named = whole.parent.name if path.name.lower() == "posts.xml" else path.name
    site = site_of(named)
    if path.suffix.lower() != ".7z":
        check_ends(path)
    return Dump(
        site=site,
        group=groups.get(site) or group or group_of(site),
        label=path.relative_to(root).as_posix(),
        posts=path,
        users=_beside(path, "Users"),
        comments=_beside(path, "Comments") if comments else None,
    )


def _beside(posts: Path, table: str) -> Path | None:
    """Another table of the same dump: a file beside that of the posts, else the archive itself."""
    other = posts.with_name(re.sub(r"(?i)posts(?=\.(?:xml|7z)$)", table, posts.name))
    if other != posts and other.is_file():
        return other
    return posts if posts.suffix.lower() == ".7z" else None


def check_ends(path: Path, name: object = None) -> None:
    """Raise InputError unless the file begins as a table of posts does and is there to its end."""
    check_head(path, name)
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        tail = file.read()
    if not tail.rstrip(b" \t\r\n\0").endswith(b"</posts>"):
        fix = "Fetch or copy it again; to use what is there, close it with a last line: </posts>."
        raise InputError("is cut short: it does not end with </posts>", where=name or path, fix=fix)


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
