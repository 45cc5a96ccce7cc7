"""Markdown of a post → Markdown that reads well: soft line breaks joined, blank lines around quotations, and what lost
links and images leave dangling taken out. Code is never touched."""

import re

POINTER = "\ue001"
"""Stands before words that only point at a link which is gone."""

_FENCE = re.compile(r"((?:[ >]|\d+[.)] |[-*+] )*)(`{3,}|~{3,})(.*)")
_QUOTE = re.compile(r"\s*((?:> ?)*)\s*")
_BLOCK = re.compile(r"(?:[-*+]|\d{1,9}[.)])\s|#{1,6}\s|\||>|-{3,}\s*$|$")
_WHOLE = re.compile(r"[\s>]*(?:#{1,6}\s.*|\|.*|-{3,}\s*)")
_END = re.compile(r"\\end\{[^{}]*\}$")
_ENDING = " \\$]}"
_LABEL = re.compile(r"\*\*[^*]{1,60}\*\*:?|[^.!?]{1,60}:")
_EDITED = re.compile(
    r"^([\s>]*)[*_]{0,3}(?:edit(?:ed)?|updated?|p\.?s\.?)(?: ?#?\d{1,2})?"
    r"(?:[*_]{1,3}\s*[:\-–—]|[:\-–—][*_]{0,3})\s*(?=\S)",
    re.IGNORECASE,
)
_MAY_BE_EDITED = re.compile(r"[\s>*_#]*[eEuUpP]")
_EDIT = re.compile(r"[*_# ]*(?:edit|update)(?: ?#?\d{1,2})?[*_: ]*", re.IGNORECASE)
_URL = re.compile(
    r"((`+)(?!`).*?(?<!`)\2(?!`))|((?:https?|ftp)://[^\s<>()\[\]`]*[^\s<>()\[\]`.,;:!?'\"*])", re.IGNORECASE
)
_IMAGE_HOST = re.compile(r"(?:[a-z]\.stack\.|i\.)?(?:imgur|sstatic)\.(?:com|net)", re.IGNORECASE)
_ONLY_POINTERS = re.compile(rf"[\s>]*(?:[-*+]|\d+[.)])?\s*(?:{POINTER}\S+(?: \S+){{0,2}}[\s,;.|]*)+")
_ASIDE = re.compile(rf" ?[(\[][^()\[\]]*{POINTER}[^()\[\]]*[)\]]")
_SENTENCE = re.compile(
    rf"(?:(?<=[.!?] )|^|(?<=[-*+] ))"
    rf"(?:see|sources?|read|more|check|click|for|further|full|you can|find|look|via|link)\b"
    rf"[^.!?\n{POINTER}]*{POINTER}(?:here|this|link|source|more)\b[^.!?\n]*(?:[.!?]+ ?|$)",
    re.IGNORECASE,
)
_AVAILABLE = re.compile(
    rf"(?:(?<=[.!?] )|^|(?<=[-*+] ))[^.!?\n{POINTER}]*"
    rf"\b(?:available|found|seen|read|viewed|downloaded)(?: online)? {POINTER}here\b[.!]? ?$"
)
_SAYS = re.compile(r"[^\s>*+\d.-]")
MOST_WORDS = 12
"""Longest sentence that is taken out for pointing at a link; a longer one says something besides."""


def tidy(text: str) -> str:
    """The mended text, without white space around it."""
    blocks = _blocks(text) if "```" in text or "~~~" in text else [(False, text.split("\n"))]
    result: list[str] = []
    gone, marked = False, POINTER in text or "://" in text
    for code, lines in blocks:
        if not code:
            mended = [_mended(line) if marked or _MAY_BE_EDITED.match(line) else line for line in joined(lines)]
            gone = gone or None in mended
            lines = spaced([line for line in mended if line is not None])
        result += lines
    if not blocks[-1][0]:
        _drop_labels(result, gone)
    whole = "\n".join(result)
    if " \n\n" in whole or "\t\n\n" in whole:
        whole = "\n\n".join(part.rstrip(" \t") for part in whole.split("\n\n"))
    return whole.strip()


def _blocks(text: str) -> list[tuple[bool, list[str]]]:
    """Blocks of lines, each with whether it is fenced code."""
    blocks: list[tuple[bool, list[str]]] = []
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line) if "```" in line or "~~~" in line else None
        if fence:
            blocks[-1][1].append(line)
            if match and match[2].startswith(fence) and not match[3].strip():
                fence = ""
                blocks.append((False, []))
        elif match and not match[3].strip("`~ \t").count("`"):
            fence = match[2]
            blocks.append((True, [match[1] + fence]))
        else:
            if not blocks:
                blocks.append((False, []))
            blocks[-1][1].append(line)
    return blocks


def joined(lines: list[str]) -> list[str]:
    """Paragraphs on one line each: a single line break in HTML text is a space. Hard breaks and formulas stay."""
    result: list[str] = []
    formula = follows = plain = False
    before = ""
    for line in lines:
        if not line:
            result.append(line)
            before, formula, follows = "", False, False
            continue
        quote, content = ("", line) if line[0].isalpha() else _parts(line)
        words = content[:1].isalpha()  # most lines begin with them, and nothing that the patterns know does
        if not content and not line.strip():
            formula = False
        if (
            content
            and follows
            and quote == before
            and not formula
            and (words or not _BLOCK.match(content))
            and (words or not content.startswith(("$$", "\\[", "\\begin")))
            and not (result[-1][-1] in _ENDING and _ends(result[-1]))
        ):
            result[-1] = f"{result[-1].rstrip()} {content}"
        else:
            result.append(line)
            before, plain = quote, words
        follows = bool(content) and (plain or not _WHOLE.fullmatch(result[-1]))
        if "\\" in content or ("$" in content and "$$" in content):
            formula ^= bool(content.count("$$") % 2 or content.count("\\begin{") != content.count("\\end{"))
    return result


def _ends(line: str) -> bool:
    """Whether the line break behind it stays: a hard one, or that of a formula."""
    return line.endswith(("  ", "\\\\", "$$", "\\]")) or (line.endswith("}") and _END.search(line) is not None)


def _parts(line: str) -> tuple[str, str]:
    """How deep a line is quoted, as a string of `>`, and what it says."""
    content = line.lstrip()
    if not content.startswith(">"):
        return "", content
    if line[:2] == "> " and line[2:3].isalpha():
        return ">", line[2:]
    match = _QUOTE.match(line)
    end = match.end() if match else 0
    return (match[1].replace(" ", "") if match else ""), line[end:]


def spaced(lines: list[str]) -> list[str]:
    """A blank line before each quotation; none twice."""
    result: list[str] = []
    before = ""
    for line in lines:
        content = line.strip()
        if before and content.startswith(">") and not before.startswith(">"):
            result.append("")
        if content or before or not result:
            result.append(line)
            before = content
    return result


def _mended(line: str) -> str | None:
    """A line without asides and short sentences that only point at a link; None where nothing else was in it."""
    if not line:
        return line
    if _MAY_BE_EDITED.match(line):
        if _EDIT.fullmatch(line.strip()):
            return None
        if edited := _EDITED.match(line):
            line = edited[1] + line[edited.end() :]
    if "://" in line:
        line = _URL.sub(lambda match: match[1] or short(match[3]), line)
    if POINTER not in line:
        return line
    if _ONLY_POINTERS.fullmatch(line):
        return None
    line = _ASIDE.sub(lambda match: match[0] if len(match[0].split()) > MOST_WORDS // 2 else "", line)
    line = _SENTENCE.sub(lambda match: match[0] if len(match[0].split()) > MOST_WORDS else "", line)
    if f"{POINTER}here" in line:
        line = _AVAILABLE.sub(lambda match: match[0] if len(match[0].split()) > MOST_WORDS + 4 else "", line)
    line = line.replace(POINTER, "")
    return line if _SAYS.search(line) else None


def short(address: str) -> str:
    """What is left of a bare address in a text: its host, nothing where it is a picture's."""
    host = address.partition("://")[2].partition("/")[0].removeprefix("www.")
    return "" if _IMAGE_HOST.fullmatch(host) else host


def _drop_labels(lines: list[str], gone: bool) -> None:
    """Take headings that announce nothing off the end; where lines are `gone`, also "Sources:" and its like, and a last
    sentence that ends in a colon: a longer one ends in a full stop instead."""
    while len(lines) > 1:
        last = lines[-1].strip()
        dangling = last.startswith("#") or last.lower().rstrip(":.") in ("see", "via", "source", "sources")
        if last and not dangling and not (gone and _LABEL.fullmatch(last)):
            break
        lines.pop()
    if gone and lines and lines[-1].endswith(":"):
        begin = max(lines[-1].rfind(f"{sign} ") for sign in ".!?") + 1
        announces = begin and len(lines[-1][begin:].split()) <= MOST_WORDS
        lines[-1] = lines[-1][:begin] if announces else lines[-1][:-1] + "."
