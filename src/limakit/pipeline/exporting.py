"""Export of the training set to a folder of its own: checked for licences, secrets and personal data first."""

from collections import Counter
from pathlib import Path
from typing import Any, get_args

from limakit.errors import InputError, StudyError
from limakit.pipeline.outcome import need
from limakit.records import Example
from limakit.share.layouts import Layout
from limakit.store import files
from limakit.store.study import Study

FOUND = "looks like a secret or personal data"
"""Why an example is left out where findings are."""


def export(
    study: Study, to: Path, layout: str, *, accept_findings: bool = False, leave_out_findings: bool = False
) -> dict[str, Any]:
    """Write the data file, README.md (the card), ATTRIBUTION.md, topics.svg where there is enough to show, and
    dataset_info.json for LLaMA-Factory into the new or empty folder `to`.

    Examples without a licence, or under one that the recipe refuses, are left out and counted. Passages that look like
    secrets or personal data are listed in export/findings.jsonl of the study; unless they are accepted, or the examples
    that hold them are to be left out too, they stop the export.
    Raises StudyError where the folder is not empty or nothing may be exported, InputError at findings.
    """
    from limakit.curate.attribution import attribution
    from limakit.curate.lengths import heads, lengths
    from limakit.curate.select import Splits
    from limakit.curate.write import write_topics
    from limakit.pipeline.consulting import measure
    from limakit.share.card import card
    from limakit.share.layouts import csv_lines, dataset_info, row
    from limakit.share.licences import objection
    from limakit.share.personal import findings

    chosen = next((name for name in get_args(Layout) if name == layout), None)
    if chosen is None:
        raise StudyError(f"no format {layout!r}", fix=f"Choose one of: {', '.join(get_args(Layout))}.")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise StudyError("is there already and not an empty folder", where=to, fix="Name a new folder.")
    examples = files.read_jsonl(need(study, "curate", "train.jsonl"), Example)
    reasons = {example.id: objection(example.provenance, study.recipe.curate.refuse_licences) for example in examples}
    kept = [example for example in examples if reasons[example.id] is None]
    left_out = Counter(reason for reason in reasons.values() if reason)
    if not kept:
        why = "; ".join(f"{count:,} {reason}" for reason, count in sorted(left_out.items())) or "it is empty"
        raise StudyError(
            f"nothing in the training set may be exported: {why}",
            where=study.root,
            fix="State the licence under which you hold each source: sources.licence, docs/sources.md.",
        )
    found = list(findings(kept))
    kinds = Counter(finding.kind for finding in found)
    listed = study.path("export", "findings.jsonl")
    files.write_jsonl(listed, found)
    if leave_out_findings:
        named = {finding.id for finding in found}
        left_out[FOUND] += sum(example.id in named for example in kept)
        left_out, kept = +left_out, [example for example in kept if example.id not in named]
        if not kept:
            raise StudyError("every example has a finding", where=listed, fix="Read them there and mend your sources.")
    elif found and not accept_findings:
        what = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        raise InputError(
            f"{len(found)} passages look like secrets or personal data: {what}",
            where=listed,
            fix="Read them there; edit or reject the examples in the studio, or go on with --without-findings or "
            "--accept-findings.",
        )
    rows = [row(example, chosen) for example in kept]
    if chosen == "alpaca":  # `datasets` takes the type of `history` from the first ten megabytes
        rows.sort(key=lambda made: not made["history"])
    name = f"train.{chosen}" if chosen in ("parquet", "csv") else "train.jsonl"
    if chosen == "parquet":
        files.write_table(to / name, rows)
    elif chosen == "csv":
        files.publish(to / name, csv_lines(rows))
    else:
        files.write_jsonl(to / name, rows)
    splits = Splits(train=tuple(kept), dev=(), test=())
    files.publish_text(to / "ATTRIBUTION.md", attribution(splits))
    files.publish_json(to / "dataset_info.json", {"train": dataset_info(chosen, name)})
    counted = measure(study)
    table = [heads(counted), *lengths(splits, counted)]
    picture = write_topics(to, splits)
    page = card(kept, name=study.name, file=name, left_out=left_out, lengths=table, picture=picture)
    files.publish_text(to / "README.md", page)
    return {
        "folder": str(to),
        "format": chosen,
        "exported": len(kept),
        "left_out": dict(sorted(left_out.items())),
        "findings": dict(sorted(kinds.items())),
    }
