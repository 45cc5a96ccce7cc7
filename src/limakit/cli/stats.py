"""`limakit stats` and `limakit power`: the statistics alone, on anybody's verdicts, and before there are any."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from limakit.errors import InputError
from limakit.report import power, sequential, words
from limakit.report.sequential import Shape
from limakit.report.summary import summarise
from limakit.report.untrusted import visible
from limakit.report.verdict_files import read

WIDTH_WITHOUT_TERMINAL = 140
MOST_DIFFERENCES = 15
"""Differences between baselines that are printed; `--json` has them all."""


def reckon(
    files: Sequence[Path],
    *,
    candidate: str | None,
    baselines: Sequence[str],
    confidence: float,
    resamples: int,
    seed: int,
    look: str | None,
    shape: str,
    authors: Sequence[str],
) -> dict[str, Any]:
    """Read the files and reckon everything, as one JSON object. Raises InputError for names that no file has."""
    found = [read(path) for path in files]
    verdicts = [verdict for file in found for verdict in file.verdicts]
    systems = sorted({name for verdict in verdicts for name in (verdict.a, verdict.b)})
    judges = {verdict.judge for verdict in verdicts}
    for name in (*([candidate] if candidate else []), *baselines):
        if name not in systems:
            raise InputError(f"no verdict on a system {name!r}", fix=f"There are: {', '.join(systems[:20])}.")
    if baselines and candidate is None:
        raise InputError("a baseline without a candidate", fix="Say whose wins count: --candidate NAME.")
    looks = _look(look, shape, confidence)
    values = summarise(
        verdicts,
        candidate=candidate,
        baselines=baselines or None,
        lengths=_merged([file.lengths for file in found]) or None,
        preferences=_merged([file.preferences for file in found]),
        authors=_authors(authors, judges),
        resamples=resamples,
        seed=seed,
        confidence=looks["nominal_confidence"] if looks else confidence,
    )
    read_files = [
        {
            "file": str(path),
            "layout": file.layout,
            "verdicts": len(file.verdicts),
            "missing": sum(verdict.label is None for verdict in file.verdicts),
        }
        for path, file in zip(files, found, strict=True)
    ]
    return {"files": read_files, "look": looks, "candidate": candidate, **values}


def _merged(parts: Sequence[dict[Any, Any]]) -> dict[Any, Any]:
    return {key: value for part in parts for key, value in part.items()}


def _look(look: str | None, shape: str, confidence: float) -> dict[str, Any] | None:
    if look is None:
        return None
    kind = _shape(shape)
    which, _, of = look.partition("/")
    if not (which.isdecimal() and of.isdecimal()):
        raise InputError(f"--look {look!r} is not like 2/3", fix="Say which of the declared looks this is.")
    nominal = sequential.nominal_confidence(int(which), int(of), confidence=confidence, shape=kind)
    return {
        "look": int(which),
        "looks": int(of),
        "shape": kind,
        "confidence": confidence,
        "nominal_confidence": nominal,
    }


def _shape(shape: str) -> Shape:
    for known in get_args(Shape):
        if shape == known:
            return known
    raise InputError(f"no boundary {shape!r}", fix=f"Choose one of: {', '.join(get_args(Shape))}.")


def _authors(given: Sequence[str], judges: set[str]) -> dict[str, str]:
    authors = {}
    for text in given:
        judge, equals, system = text.rpartition("=")
        if not equals or judge not in judges:
            raise InputError(
                f"--self {text!r} is not JUDGE=SYSTEM", fix=f"The judges are: {', '.join(sorted(judges))}."
            )
        authors[judge] = system
    return authors


def show(values: Mapping[str, Any]) -> None:
    """Print it for people."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)

    def say(text: str, style: str | None = None) -> None:
        console.print(_plain(text), style=style, soft_wrap=True)

    for file in values["files"]:
        say(f"{file['file']}: {file['layout']}, {file['verdicts']:,} verdicts, {file['missing']:,} missing")
    if values["look"]:
        say(words.look(values["look"]))
    together = values["judges"] and values["judges"][0]["people"]
    for judge in values["judges"]:
        rows = [row for row in judge["against"] if row["verdicts"]]
        if together and judge["kind"] == "person":
            continue
        console.print()
        say(f"Judge: {words.who(judge)}", "bold")
        console.print(_outcomes(rows, values["settings"]["confidence"]))
        if judge["differences"]:
            console.print(_differences(judge["differences"]))
        if judge["ranking"]:
            console.print(_ranking(judge["ranking"]))
        for line in words.leanings(judge):
            say(line)
        if len(rows) == 1:
            say(f"{words.reading(rows[0])} {words.limits(rows[0])}")
    if together:
        console.print()
        console.print(_persons(values["judges"]))
    if values["against_people"]:
        console.print()
        console.print(_against_people(values["against_people"]))
        for row in values["against_people"]["judges"]:
            if "difference" in row:
                say(words.against_people(row, values["candidate"]))
    if values["agreement"] and values["agreement"]["pairs"]:
        console.print()
        console.print(_agreement(values["agreement"]))


def _plain(text: str) -> Text:
    """Text from files: no markup, nothing hidden, one line."""
    return Text(visible(text).replace("\n", " "))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="", box=None, pad_edge=False, header_style="dim")
    for column in columns:
        name, right, _ = column.partition(">")
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*map(_plain, cells))


def _range(rate: Mapping[str, float], scale: float = 100) -> str:
    return f"{scale * rate['value']:.1f} [{scale * rate['low']:.1f}, {scale * rate['high']:.1f}]"


def _outcomes(rows: Sequence[Mapping[str, Any]], confidence: float) -> Table:
    interval = f"[{100 * confidence:.3g} %]"
    preference, length = (any(key in row for row in rows) for key in ("preference", "length_controlled"))
    columns = [
        "candidate",
        "against",
        f"win rate {interval}>",
        "won>",
        "tied>",
        "lost>",
        "no verdict>",
        "prompts>",
        "p>",
    ]
    columns += ["p (Holm)>"] * (len(rows) > 1) + [f"mean preference {interval}>"] * preference
    columns += [f"at equal lengths {interval}>"] * length
    table = _table("", *columns)
    for row in rows:
        test = row.get("sign_test", {})
        cells = [row["candidate"], row["baseline"], _range(row["win_rate"]) if row.get("win_rate") else "–"]
        cells += [f"{row[key]:,}" for key in ("win", "tie", "lose", "missing", "prompts")]
        cells += [words.p_value(test["p"]) if test else "–"]
        cells += [words.p_value(test["holm"]) if test else "–"] * (len(rows) > 1)
        cells += [_range(row["preference"]) if "preference" in row else "–"] * preference
        cells += [_range(row["length_controlled"]) if "length_controlled" in row else "–"] * length
        _row(table, *cells)
    return table


def _differences(rows: Sequence[Mapping[str, Any]]) -> Table:
    more = f" (the first {MOST_DIFFERENCES} of {len(rows)})" if len(rows) > MOST_DIFFERENCES else ""
    table = _table(
        f"Better off against one than against the other, on the same prompts{more}",
        *("candidate", "against", "rather than", "points>", "McNemar p>", "Wilcoxon p (Holm)>"),
    )
    for row in rows[:MOST_DIFFERENCES]:
        points = {"value": row["difference"], "low": row["low"], "high": row["high"]}
        tests = words.p_value(row["mcnemar"]["p"]), words.p_value(row["wilcoxon"]["holm"])
        _row(table, row["candidate"], row["first"], row["second"], _range(points), *tests)
    return table


def _ranking(ranking: Mapping[str, Any]) -> Table:
    table = _table(f"Ranking by Davidson's model (ν = {ranking['nu']:.2f})", "system", "log worth>")
    for place in ranking["systems"]:
        _row(table, place["system"], f"{place['log_worth']:+.2f} {words.worth_ends(place)}")
    return table


def _persons(judges: Sequence[Mapping[str, Any]]) -> Table:
    table = _table(
        "Each person", *("who", "candidate", "against", "win rate>", "won>", "tied>", "lost>", "no verdict>")
    )
    for judge in judges:
        for row in judge["against"] if judge["kind"] == "person" else ():
            if row["verdicts"]:
                counts = [f"{row[key]:,}" for key in ("win", "tie", "lose", "missing")]
                rate = _range(row["win_rate"]) if row.get("win_rate") else "–"
                _row(table, judge["judge"], row["candidate"], row["baseline"], rate, *counts)
    return table


def _against_people(found: Mapping[str, Any]) -> Table:
    table = _table(
        f"Judges against {found['people']:,} {'person' if found['people'] == 1 else 'people'} on the same items",
        *("who", "items>", "comparisons>", "agreement>", "by chance>", "beyond chance>"),
    )
    rows = [("people with each other", found["among"])] if found["among"] else []
    for name, row in [*rows, *((row["judge"], row) for row in found["judges"])]:
        rate = {"value": row["rate"], "low": row["low"], "high": row["high"]}
        beyond = "–" if row["corrected"] is None else f"{row['corrected']:.2f}"
        counts = [f"{row[key]:,}" for key in ("items", "comparisons")]
        _row(table, name, *counts, _range(rate), f"{100 * row['chance']:.1f}", beyond)
    return table


def _agreement(agreement: Mapping[str, Any]) -> Table:
    table = _table(
        "Judges on the same items (a point for the same label, half where exactly one says tie)",
        *("judge", "and", "items>", "agreement>", "by chance>", "beyond chance>", "Cohen's κ>"),
    )
    for row in agreement["pairs"]:
        kappas = ["–" if row[key] is None else f"{row[key]:.2f}" for key in ("corrected", "cohen")]
        rate = {"value": row["rate"], "low": row["low"], "high": row["high"]}
        _row(table, *row["judges"], f"{row['items']:,}", _range(rate), f"{100 * row['chance']:.1f}", *kappas)
    return table


def plan(
    points: float, *, ties: float, confidence: float, target: float, prompts: int | None, looks: int, shape: str
) -> tuple[str, dict[str, Any]]:
    """How many prompts a difference takes and, where their number is given, what they can tell: words and numbers."""
    kind = _shape(shape)
    once = power.prompts_needed(points / 100, tie_rate=ties, confidence=confidence, power=target)
    factor = sequential.inflation(looks, confidence=confidence, power=target, shape=kind)
    bounds = sequential.boundaries(looks, confidence=confidence, shape=kind)
    needed = once if looks == 1 else power.prompts_needed(
        points / 100 / factor**0.5, tie_rate=ties, confidence=confidence, power=target
    )  # fmt: skip
    values: dict[str, Any] = {
        "points": points, "ties": ties, "confidence": confidence, "power": target, "prompts_needed": needed,
        "looks": looks, "shape": kind, "boundaries": bounds, "inflation": factor,
    }  # fmt: skip
    if prompts is not None:
        reach = power.detectable(prompts, tie_rate=ties, confidence=confidence, power=target) * factor**0.5
        values |= {"prompts": prompts, "detectable_points": 100 * min(0.5, reach)}
    return words.plan(values), values
