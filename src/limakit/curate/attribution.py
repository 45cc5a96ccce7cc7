"""ATTRIBUTION.md and card.md: who wrote what, under which licence, and what the data set holds."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from limakit.curate.lengths import WORDS, Measure, heads, lengths, response
from limakit.records import Example, Prompt, Provenance

if TYPE_CHECKING:
    from limakit.curate.select import Splits

EDITS = "studio"
"""Source of a provenance that names who edited a text, and of no post."""
FEWEST_POINTS = 8
"""Examples and prompts from which a topic map says anything."""
_SAFE = "".join(chr(code) for code in range(33, 127) if chr(code) not in "<>")
_MARKS = re.compile(r"([\\`*\[\]<>|#]|(?<!\w)_|_(?!\w))")


def attribution(splits: "Splits") -> str:
    """One entry an example: title, link, and for each post author, author's page and licence."""
    lines = [
        "# Attribution",
        "",
        "Every example below is adapted: links and images were removed and the text set in Markdown. "
        "Each post is used under the licence named beside it.",
    ]
    for name, items in (("train", splits.train), ("dev", splits.dev), ("test", splits.test)):
        credited = [item for item in items if item.provenance]
        if credited:
            lines += ["", f"## {name}", ""]
            lines += [f"- {_entry(item)}" for item in credited]
    return "\n".join(lines) + "\n"


def _entry(item: Example | Prompt) -> str:
    first = item.provenance[0]
    title = _link(first.title or item.id, first.url)
    count = sum(origin.source != EDITS for origin in item.provenance)
    posts = "; ".join(_credit(origin, at, count) for at, origin in enumerate(item.provenance))
    return f"{title} ({_plain(first.source)}, {_plain(first.site)}, `{_code(item.id)}`): {posts}"


def _credit(origin: Provenance, at: int, count: int) -> str:
    if origin.source == EDITS:
        return f"edited by {_plain(origin.author or 'somebody')}"
    role = "text" if count == 1 else "answer" if at == 0 else "comment" if "#comment" in origin.id else "question"
    author = _link(origin.author or "author not named in the dump", origin.author_url)
    edited = ", edited since" if origin.edited else ""
    return f"{role} {_link(origin.id, origin.url)} by {author}, {_plain(origin.licence or 'no licence stated')}{edited}"


def _plain(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    return " ".join(text.replace("`", "'").split())


def _link(text: str, address: str | None) -> str:
    """A link where the address is one of the web's; nothing in it can end the link or the line."""
    if not address or not address.startswith(("https://", "http://")):
        return _plain(text)
    return f"[{_plain(text)}](<{quote(address, safe=_SAFE)}>)"


def card(splits: "Splits", funnel: dict[str, Any], measure: Measure = WORDS) -> str:
    """A short data card: counts, sources, licences, rules and lengths in words."""
    credited = [*splits.train, *splits.dev, *splits.test]
    licences = Counter(o.licence or "none stated" for item in credited for o in item.provenance)
    sites = Counter((example.source, example.site, example.group) for example in splits.train)
    lines = ["# Data card", "", "Curated by limakit after LIMA (Zhou et al. 2023, section 2.1).", "", "## Size", ""]
    lines += _table(
        (
            "split",
            "examples",
            "prompt characters, mean",
            "median",
            "response characters, mean",
            "median",
            "words, mean",
        ),
        [_size(name, items) for name, items in (("train", splits.train), ("dev", splits.dev), ("test", splits.test))],
    )
    lines += ["", "A split's responses are its training targets or, where it has them, its reference answers.", ""]
    lines += ["## Lengths beside the paper's", ""]
    lines += _table(heads(measure), lengths(splits, measure))
    ours = f"tokens of {_plain(measure.of)}" if measure.of else "words, as the base model is not on this machine"
    lines += ["", f"Ours are {ours}; the paper's are LLaMA's tokens.", ""]
    if len(credited) >= FEWEST_POINTS:
        lines += [
            "## Topics",
            "",
            "![Every example and prompt as a point, near those that share its words](topics.svg)",
            "",
        ]
    lines += ["## Training examples by site", ""]
    lines += _table(("source", "site", "stratum", "examples"), [(*key, str(n)) for key, n in sorted(sites.items())])
    lines += ["", "## Licences of the posts", ""]
    lines += _table(("licence", "posts"), [(name, str(n)) for name, n in sorted(licences.items())])
    lines += ["", "## Rules, in order", ""]
    lines += _table(
        ("rule", "takes out", "taken", "left"),
        [(s["rule"], s["description"], f"{s['taken']:,}", f"{s['left']:,}") for s in funnel["total"]["steps"]],
    )
    total = funnel["total"]
    lines += [
        "",
        f"Read: {total['rows']:,} rows, of which {total['answers']:,} answers, {total['questions']:,} questions, "
        f"{total['others']:,} others, {total['quarantined']:,} that could not be read.",
    ]
    return "\n".join(lines) + "\n"


def _size(name: str, items: Sequence[Example | Prompt]) -> tuple[str, ...]:
    prompts = [item.messages[0].content for item in items]
    responses = [response(item) for item in items]
    lengths, answers = [len(p) for p in prompts], [len(r) for r in responses if r]
    words = [len(r.split()) for r in responses if r]
    return (name, str(len(items)), _mean(lengths), _median(lengths), _mean(answers), _median(answers), _mean(words))


def _mean(values: Sequence[int]) -> str:
    return f"{statistics.fmean(values):.0f}" if values else "–"


def _median(values: Sequence[int]) -> str:
    return f"{statistics.median(values):.0f}" if values else "–"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return lines + [f"| {' | '.join(map(_plain, row))} |" for row in rows]
