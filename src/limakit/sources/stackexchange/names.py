"""What a dump is called and where its posts live on the web; which licence a post of an old dump is under."""

import re

_DATE = re.compile(r"[-_.](?:19|20)\d\d(?:-?\d\d){0,2}$")
_OWN_HOST = {
    "askubuntu": "askubuntu.com",
    "mathoverflow": "mathoverflow.net",
    "serverfault": "serverfault.com",
    "stackapps": "stackapps.com",
    "stackoverflow": "stackoverflow.com",
    "superuser": "superuser.com",
}
_LANGUAGE = re.compile(r"(es|ja|pt|ru)\.stackoverflow")


def site_of(name: str) -> str:
    """Site named by a folder or archive: `coffee-2015-03`, `coffee.stackexchange.com.7z` → `coffee`.

    Metas are written as their addresses now are: `meta.avp`, `meta-avp-2014-09` → `avp.meta`. What is no known form
    stays as it is, so an unknown folder is its own site.
    """
    name = name.strip().lower()
    name = re.sub(r"\.(7z|xml)$", "", name)
    name = re.sub(r"-posts$", "", name)
    name = _DATE.sub("", name)
    name = name.removesuffix(".stackexchange.com")
    if name in ("mathoverflow.net", "meta.mathoverflow.net"):
        name = name.removesuffix(".net")
    elif name.removesuffix(".com").removeprefix("meta.") in _OWN_HOST or _LANGUAGE.search(name):
        name = name.removesuffix(".com")
    name = re.sub(r"^([a-z]{2})\.meta\.stackoverflow(?:\.com)?$", r"\1.stackoverflow.meta", name)
    if name == "meta.stackexchange" or name == "meta":
        return "meta"
    if match := re.fullmatch(r"meta[.\-](.+)", name):
        return f"{match.group(1)}.meta"
    return re.sub(r"^([a-z0-9]+)-meta$", r"\1.meta", name)


def without_meta(site: str) -> str:
    """The site that a meta belongs to; any other site itself."""
    return site.removesuffix(".meta")


def host_of(site: str, known: bool) -> str | None:
    """Host of a site's pages. A name that is not `known` in the network is its own address if it looks like one
    (`kitchen.example`), else None: a wrong link is worse than none."""
    main = without_meta(site)
    if main in _OWN_HOST:
        host = _OWN_HOST[main]
        return host if main == site else f"meta.{host}"
    if _LANGUAGE.fullmatch(main):
        return f"{main}.com" if main == site else main.replace(".", ".meta.", 1) + ".com"
    if known:
        return f"{site}.stackexchange.com"
    return site if "." in main else None


def licence_of(created: str, edited: str | None) -> str:
    """Licence of a post whose dump states none: CC BY-SA by the time of its latest revision.

    Posts up to 2011-04-07 are under 2.5, up to 2018-05-01 under 3.0, later ones under 4.0
    (https://stackoverflow.com/help/licensing). Times are ISO 8601, which sort as text.
    """
    moment = max(created, edited or "")
    version = "2.5" if moment < "2011-04-08" else "3.0" if moment < "2018-05-02" else "4.0"
    return f"CC BY-SA {version}"
