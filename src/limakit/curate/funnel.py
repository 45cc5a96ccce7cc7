"""The funnel: what was read, which rule took how much, what is left. It must add up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from limakit.recipe import Curate


class SiteCount(Protocol):
    """What a source says of one site. answers = the sum of `rejected` + candidates."""

    site: str
    group: str
    questions: int
    answers: int
    others: int
    quarantined: int
    rejected: Counter[str]
    candidates: int


OTHER_SOURCES = (
    ("little_left", "mostly links: less than half of it is left without them"),
    ("further_down", "replies to a reply"),
    ("deleted", "deleted or removed"),
    ("nsfw", "marked as for adults"),
    ("moderator", "by a moderator or a bot"),
    ("low_score", "score below its source's min_score"),
    ("short_reply", "reply shorter than its source's min_chars"),
    ("long_reply", "reply longer than its source's max_chars"),
    ("points_elsewhere", "speaks of the site or leads away from it"),
    ("unfit_question", "what it replies to is no prompt"),
    ("not_alone", "title that is no question of its own"),
    ("no_article", "is no article: no title or no steps"),
    ("short_article", "article shorter than its source's min_chars"),
    ("not_generation", "task that asks for a choice, not for a text"),
    ("not_english", "task in another language than English"),
    ("no_example", "task without a usable example"),
    ("no_dialogue", "is no dialogue of user and assistant in turn"),
    ("poor_exchange", "comments that make no dialogue: too short, in the first person, about the site"),
    ("refused_licence", "under a licence that the recipe refuses"),
    ("forgotten", "by somebody who is forgotten"),
    ("reviewed", "a person took it out"),
)
"""Rules of the sources other than Stack Exchange, whose rules precede them, and those that are seldom needed;
docs/sources.md says which is whose. A funnel shows one only where it took something."""


def rules(settings: Curate) -> list[tuple[str, str]]:
    """Every rule in the order in which it is applied, with what it does under these settings."""
    return [
        ("fabricated", "the two invented posts of the dumps of June 2025"),
        ("score", f"score below {settings.min_score}"),
        ("same_post", "the same post in another dump of the site"),
        ("not_best", "another answer to the question has more votes"),
        ("too_short", f"fewer than {settings.min_chars:,} characters of text"),
        ("too_long", f"more than {settings.max_chars:,} characters of text"),
        ("first_person", "speaks in the first person"),
        ("references", "points at other answers, comments or the site"),
        ("little_prose", f"fewer than {settings.min_prose_chars:,} characters outside code"),
        ("needs_image", "speaks of an image, and images are removed"),
        ("no_question", "its question is missing or cannot be read"),
        ("no_prompt", "neither title nor description of the question can stand alone"),
        *OTHER_SOURCES,
        ("no_quota", "its stratum has no quota"),
        ("duplicate", "the same text as an answer with more votes"),
        ("near_duplicate", f"at least {settings.near_duplicates:.0%} alike with an answer with more votes"),
        ("same_thread", "a post or thread of a dev or test prompt"),
        ("same_text", "prompt or response is that of a dev or test prompt"),
        (
            "same_run",
            f"{settings.contamination_run} words in a row in common with a dev or test prompt or its reference",
        ),
        ("same_words", f"TF-IDF cosine of at least {settings.contamination_cosine:g} with one of these"),
        ("same_meaning", f"sentence vectors' cosine of at least {settings.contamination_meaning:g} with one of these"),
        ("same_author", "somebody who wrote for dev or test wrote for it"),
        ("in_dialogue", "a dialogue that begins with it was taken"),
        ("not_selected", "beyond the quota of its stratum"),
    ]


def funnel(
    sites: Sequence[SiteCount],
    rejected: Mapping[str, Mapping[str, int]],
    kept: Mapping[str, int],
    quarantine: Sequence[Mapping[str, Any]],
    settings: Curate,
) -> dict[str, Any]:
    """The funnel of the whole and of each site, as plain JSON values.

    `rejected` holds what selection took of each site's candidates, `kept` what it chose. Raises RuntimeError where the
    counts do not add up, which is a defect and not a matter of the input.
    """
    fell = {rule for counts in (*(site.rejected for site in sites), *rejected.values()) for rule in counts}
    optional = {"in_dialogue", "same_meaning", *(rule for rule, _ in OTHER_SOURCES)} - fell
    steps = [step for step in rules(settings) if step[0] not in optional]
    parts = {}
    total: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    for site in sorted(sites, key=lambda s: s.site):
        took = Counter(site.rejected) + Counter(rejected.get(site.site, {}))
        heads = {
            "rows": site.questions + site.answers + site.others + site.quarantined,
            "quarantined": site.quarantined,
            "others": site.others,
            "questions": site.questions,
            "answers": site.answers,
        }
        part = _part(heads, took, steps)
        if part["kept"] != kept.get(site.site, 0) or set(took) - {rule for rule, _ in steps}:
            raise RuntimeError(
                f"counts of {site.site} do not add up: {part['kept']} left, {kept.get(site.site, 0)} kept"
            )
        parts[site.site] = {"group": site.group, **part}
        total.update(heads)
        taken.update(took)
    heads = {name: total[name] for name in ("rows", "quarantined", "others", "questions", "answers")}
    return {"total": _part(heads, taken, steps), "sites": parts, "quarantine": [dict(item) for item in quarantine]}


def _part(heads: dict[str, int], took: Counter[str], steps: Sequence[tuple[str, str]]) -> dict[str, Any]:
    left = heads["answers"]
    lines = []
    for rule, description in steps:
        line = {"rule": rule, "description": description, "read": left, "taken": took[rule], "left": left - took[rule]}
        lines.append(line)
        left = line["left"]
    return {**heads, "steps": lines, "rejected": sum(took.values()), "kept": left}
