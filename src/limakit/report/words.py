"""The report's sentences: what the numbers say, in words, and what they do not say."""

from collections.abc import Mapping, Sequence
from typing import Any

from limakit.records import Response

SMOKE_TEST = "a smoke test, not a preference"
EXPERIMENTS = {
    "ablate": "Ablations, as in the paper’s figures 5 and 6",
    "dialogue": "Dialogue, as in the paper’s figure 7",
    "superficiality": "How much fine-tuning changed, token by token",
}
FEW_GRADES = (
    "Few answers bound a share loosely: 24 safe of 30 is anything from 63 to 90 %, and 30 of 30 may still be 89 %."
)


def percent(share: float, digits: int = 0) -> str:
    """0.594 as `59 %`, with a space that does not break."""
    return f"{100 * share:.{digits}f}\u00a0%"


def judge_name(judge: str) -> str:
    """Who judged, said so that nobody takes a metric for a person."""
    kind, _, name = judge.partition(":")
    if kind == "metric":
        return f"reference metric {'ROUGE-L' if name == 'rouge-l' else name}, {SMOKE_TEST}"
    return f"{kind} {name}" if name else judge


def who(judge: Mapping[str, Any]) -> str:
    """`judge_name` of one judge of the summary; several people by their number."""
    return f"{judge['people']} people together" if judge.get("people") else judge_name(judge["judge"])


def counts(row: Mapping[str, Any]) -> str:
    """`tuned won 31 of 60, tied 9, lost 20 against base`."""
    labels = row["win"] + row["tie"] + row["lose"]
    return (
        f"{row['candidate']} won {row['win']} of {labels}, tied {row['tie']}, lost {row['lose']} "
        f"against {row['baseline']}"
    )


def interval(rate: Mapping[str, Any], confidence: float) -> str:
    """`59 % [95 % interval 48 % to 70 %]`."""
    ends = f"{percent(rate['low'])} to {percent(rate['high'])}"
    return f"{percent(rate['value'])} [{percent(confidence, 1).replace('.0', '')} interval {ends}]"


def unjudged(row: Mapping[str, Any]) -> int:
    """Pairs that were asked for and are in no verdict at all."""
    return max(0, (row["asked"] or 0) - row["pairs"])


def absent(row: Mapping[str, Any], kind: str = "") -> str:
    """What is missing from the rates, out of everything that was asked for; `kind` is that of the judge."""
    left, total = unjudged(row), row["pairs"] + unjudged(row)
    several = row["verdicts"] > row["pairs"]
    if total and not left and not row["missing"]:
        return f"Every one of the {total:,} pairs has {'at least one' if several else 'a'} verdict."
    parts = []
    if row["missing"]:
        parts.append(f"{row['missing']:,} got no usable verdict")
    if left:
        nobody = kind in ("people", "person")
        parts.append(f"{left:,} {'were judged by nobody' if nobody else 'had no pair of answers to judge'}")
    return (
        f"Of {total:,} pairs asked for, {' and '.join(parts)}; that is in no rate."
        if parts
        else "No pair was asked for."
    )


def reading(row: Mapping[str, Any]) -> str:
    """What may be concluded from the interval, and no more."""
    rate = row.get("win_rate")
    if rate is None:
        return "There is no verdict to conclude anything from."
    if rate["low"] > 0.5:
        return f"The whole interval lies above 50 %: by this judge {row['candidate']} did better."
    if rate["high"] < 0.5:
        return f"The whole interval lies below 50 %: by this judge {row['baseline']} did better."
    return "The interval includes 50 %: these verdicts do not tell which of the two is better."


def endings(answers: Sequence[Mapping[str, Any]]) -> str:
    """How many answers of each system ended by themselves, where that is known and is not the same everywhere."""
    known = [row for row in answers if row["stopped"] is not None]
    if len({row["stop_rate"] for row in known}) < 2:
        return ""
    counts = (f"{row['system']} {row['stopped']:,} of {row['answers']:,}" for row in known)
    return f"Answers that ended by themselves, before the limit on length: {', '.join(counts)}."


def limits(row: Mapping[str, Any]) -> str:
    """How small a difference this many prompts can tell, and what 5 points would take."""
    if "detectable" not in row:
        return f"Against {row['baseline']} there is no win and no loss to reckon with."
    return (
        f"Against {row['baseline']}, {row['prompts']:,} prompts cannot tell less than "
        f"{100 * row['detectable']:.0f} points apart: with {percent(row['tie_share']['value'])} ties they "
        f"find a win rate that is {100 * row['detectable']:.1f} points or more from 50 % in four of five studies, and "
        f"miss smaller ones more often. To find 5 points takes {row['prompts_for_5_points']:,} prompts."
    )


def training(recipe: Mapping[str, Any]) -> str:
    """How the tuned model was trained, from the resolved recipe."""
    train = recipe["train"]
    learned = "responses" if train["loss_on"] == "response" else "all tokens"
    return (
        f"Base model {recipe['base']['model']}; {train['epochs']} epochs, batches of {train['batch_size']}, "
        f"learning rate {train['learning_rate']:g} falling to {train['final_learning_rate']:g}, "
        f"residual dropout up to {train['residual_dropout']:g}, loss on {learned}."
    )


def answer(judge: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Who did better, in a few words, and no more than the interval allows."""
    one, other, rate = row["candidate"], row["baseline"], row.get("win_rate")
    smoke = judge["judge"].startswith("metric:")
    if rate is None:
        return f"{one} against {other}: no verdict"
    if rate["low"] > 0.5 or rate["high"] < 0.5:
        best, rest = (one, other) if rate["low"] > 0.5 else (other, one)
        return f"Closer to the references: {best}, not {rest}" if smoke else f"{best} did better than {rest}"
    return f"No telling {one} and {other} apart{' by the references' if smoke else ''}"


def tally(row: Mapping[str, Any], confidence: float) -> str:
    """Counts and win rate in one sentence."""
    if row.get("win_rate") is None:
        return "nothing to count."
    return f"{counts(row)}: win rate {interval(row['win_rate'], confidence)}."


def headline(judge: Mapping[str, Any], row: Mapping[str, Any], confidence: float) -> str:
    """The report in one sentence: what was counted, and who says so."""
    return f"{tally(row, confidence)} Judged by {who(judge)}."


def capital(text: str) -> str:
    """With a capital letter first."""
    return text[:1].upper() + text[1:]


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign, the minus a real one."""
    return f"{value:+.{digits}f}".replace("-", "−")


def length_caveat(judge: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """What the headline owes to length, where the judge leans on it beyond chance."""
    bias, equal = judge.get("length"), row.get("length_controlled")
    if not bias or not equal or not bias["decided"] or bias["low"] <= 0.5 <= bias["high"]:
        return ""
    what = "longer" if bias["share"] > 0.5 else "shorter"
    share = bias["longer_won"] if what == "longer" else bias["decided"] - bias["longer_won"]
    return (
        f"Mind the length: the {what} answer was preferred in {share:,} of {bias['decided']:,} decided pairs; had both "
        f"been equally long, the win rate would be {percent(equal['value'])} "
        f"[{percent(equal['low'])} to {percent(equal['high'])}]."
    )


def figure_caption(judge: Mapping[str, Any], candidate: str, resamples: int) -> str:
    """What the bars of a judge show, and which of the paper's figures they answer to."""
    paper = {"people": ", as in the paper’s figure 1", "person": ", as in the paper’s figure 1"}
    paper |= {"model": ", as in the paper’s figure 2"}
    return (
        f"Wins, ties and losses of {candidate}{paper.get(judge['kind'], '')}. The interval comes from {resamples:,} "
        "resamples of prompts."
    )


def against_people(row: Mapping[str, Any], candidate: str) -> str:
    """How a judge's win rate differs from people's on the same items."""
    difference = row["difference"]
    ends = f"[{signed(100 * difference['low'])}, {signed(100 * difference['high'])}]"
    meaning = "does not include" if difference["low"] > 0 or difference["high"] < 0 else "includes"
    return (
        f"{capital(judge_name(row['judge']))} gives {candidate} {percent(row['by_judge'])} where people give it "
        f"{percent(row['by_people'])} on the same {row['items']:,} items: {signed(100 * difference['value'])} points "
        f"{ends}, which {meaning} 0."
    )


def ended(answer: Response) -> str:
    """How long an answer is and how it ended, as far as that is known."""
    long = f"{len(answer.text):,} characters" if answer.tokens is None else f"{answer.tokens:,} tokens"
    return long + {"eot": ", ended by itself", "length": ", cut at the limit", "unknown": ""}[answer.finish]


def worth_ends(place: Mapping[str, Any]) -> str:
    """Interval of a log worth; one prompt alone tells none."""
    return "[no interval]" if place["low"] is None else f"[{signed(place['low'], 2)}, {signed(place['high'], 2)}]"


def money(amount: float) -> str:
    """In the recipe's currency, with two significant digits below one."""
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{amount:.2g}"


def failures(counted: Mapping[str, int]) -> str:
    """`timeout 3, refusal 1`, or a dash."""
    return ", ".join(f"{kind.replace('_', ' ')} {count:,}" for kind, count in counted.items()) or "–"


def graded(row: Mapping[str, Any], *, judge: bool) -> str:
    """Whose answers, to which prompts and, where asked, by which judge."""
    kind = "" if row["kind"] == "all" else f", {row['kind']}" + ("" if "intent" in row["kind"] else " prompts")
    return f"{row['system']}{kind}" + (f", by {judge_name(row['judge'])}" if judge else "")


def listed(rows: Sequence[Mapping[str, Any]], side: int) -> str:
    """The baselines whose whole interval lies on one side of one half (1 above, -1 below, 0 neither), as a list."""
    found = []
    for row in rows:
        rate = row["win_rate"]
        if side == (rate["low"] > 0.5) - (rate["high"] < 0.5):
            found.append(row["baseline"])
    return " and ".join(", ".join(found).rsplit(", ", 1)) or "none"


def p_value(value: float) -> str:
    """Four digits, or `< 0.0001`."""
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def leanings(judge: Mapping[str, Any]) -> list[str]:
    """What besides quality may have moved this judge: side, length, own answers."""
    found = []
    for name, what in (("position", "the answer shown first"), ("length", "the longer answer")):
        bias = judge.get(name)
        if bias and bias["decided"] and bias.get("sides_vary", True):
            ends = f"{percent(bias['low'])} to {percent(bias['high'])}"
            found.append(
                f"Preferred {what} in {percent(bias['share'])} [{ends}] of {bias['decided']:,} decided verdicts."
            )
    if judge.get("self"):
        found.append(self_preference(judge["self"]))
    return found


def self_preference(found: Mapping[str, Any]) -> str:
    """How a judge treats its own answers, beside how all others treat them."""
    return (
        f"Gave {found['system']}, which it is itself, {percent(found['own'])} where the other judges gave "
        f"{percent(found['others'])} on the same {found['items']:,} pairs: {signed(100 * found['difference'])} points "
        f"[{signed(100 * found['low'])}, {signed(100 * found['high'])}]."
    )


def look(found: Mapping[str, Any]) -> str:
    """Why the intervals are wider than usual."""
    return (
        f"Look {found['look']} of {found['looks']} declared ({found['shape']}): intervals are at "
        f"{100 * found['nominal_confidence']:.2f} %, so that all looks together keep {100 * found['confidence']:g} %."
    )


def plan(found: Mapping[str, Any]) -> str:
    """How many prompts, in words."""
    lines = [
        f"To tell a win rate {found['points']:g} points from 50 % takes {found['prompts_needed']:,} prompts "
        f"({percent(found['ties'])} ties, found in {percent(found['power'])} of studies, "
        f"{100 * found['confidence']:g} % intervals, one verdict a prompt)."
    ]
    if "prompts" in found:
        lines.append(f"{found['prompts']:,} prompts find {found['detectable_points']:.1f} points or more.")
    if found["looks"] > 1:
        bounds = ", ".join(f"{bound:.2f}" for bound in found["boundaries"])
        lines.append(
            f"Declared: {found['looks']} looks ({found['shape']}), a claim only beyond {bounds} standard errors; "
            f"the price is {100 * (found['inflation'] - 1):.1f} % more prompts."
        )
    return "\n".join(lines)
