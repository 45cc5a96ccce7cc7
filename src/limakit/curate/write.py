"""The outputs of curation, written into the stage's work folder."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from limakit.curate.attribution import attribution, card
from limakit.curate.funnel import SiteCount, funnel
from limakit.curate.lengths import WORDS, Measure
from limakit.curate.select import Splits
from limakit.errors import InputError
from limakit.recipe import Curate
from limakit.records import Prompt
from limakit.store import files


def with_given(splits: Splits, dev: Sequence[Prompt], test: Sequence[Prompt]) -> Splits:
    """The splits with prompts from files after the held-out ones. Raises InputError where two share an Id."""
    whole = replace(splits, dev=(*splits.dev, *dev), test=(*splits.test, *test))
    seen = Counter(item.id for item in (*whole.train, *whole.dev, *whole.test))
    for number, count in seen.items():
        if count > 1:
            raise InputError(
                f"the Id {number!r} occurs {count} times among training examples, dev and test prompts",
                fix="Give every prompt an Id of its own.",
            )
    return whole


def write(
    folder: Path,
    splits: Splits,
    *,
    dev: Sequence[Prompt] = (),
    test: Sequence[Prompt] = (),
    sites: Sequence[SiteCount],
    rejected: Mapping[str, Mapping[str, int]],
    quarantine: Sequence[Mapping[str, Any]],
    settings: Curate,
    contamination: Mapping[str, Any] | None = None,
    measure: Measure = WORDS,
) -> dict[str, int]:
    """Write train, dev and test .jsonl, funnel.json, ATTRIBUTION.md and card.md, and contamination.json where it was
    looked for; returns the counts for the manifest.

    `splits` as `select.split` made them, `dev` and `test` further prompts from files; `sites`, `rejected`,
    `quarantine` and `contamination` as the source and `select` returned them. The card gives lengths by `measure`.
    The reject log is written by itself.
    Raises RuntimeError where the counts do not add up.
    """
    kept = Counter([example.site for example in splits.train])
    kept.update(prompt.category for prompt in (*splits.dev, *splits.test))
    told = funnel(sites, rejected, kept, quarantine, settings)
    whole = with_given(splits, dev, test)
    files.write_jsonl(folder / "train.jsonl", whole.train)
    files.write_jsonl(folder / "dev.jsonl", whole.dev)
    files.write_jsonl(folder / "test.jsonl", whole.test)
    files.publish_json(folder / "funnel.json", told)
    if contamination is not None:
        files.publish_json(folder / "contamination.json", contamination)
    files.publish_text(folder / "ATTRIBUTION.md", attribution(whole))
    files.publish_text(folder / "card.md", card(whole, told, measure))
    return {
        "rows": told["total"]["rows"],
        "answers": told["total"]["answers"],
        "rejected": told["total"]["rejected"],
        "quarantined": told["total"]["quarantined"],
        "train": len(whole.train),
        "dev": len(whole.dev),
        "test": len(whole.test),
    }


def write_topics(folder: Path, splits: Splits, dev: Sequence[Prompt] = (), test: Sequence[Prompt] = ()) -> str:
    """Write topics.svg and topics.json, the map of the splits with their further prompts, where there is enough to
    show; returns the picture's name, else nothing."""
    from limakit.curate.topics import topic_map

    found = topic_map(with_given(splits, dev, test))
    if found:
        files.publish_text(folder / "topics.svg", found.svg)
        files.publish_json(folder / "topics.json", {"points": found.points, "regions": found.regions})
    return "topics.svg" if found else ""
