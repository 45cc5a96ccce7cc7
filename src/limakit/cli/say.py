"""The outcome of a stage in words, and the user's next step."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limakit.errors import typed
from limakit.pipeline.model_export import Exported
from limakit.pipeline.outcome import Outcome
from limakit.recipe import Recipe
from limakit.store.study import Study

if TYPE_CHECKING:
    from limakit.pipeline.model_judging import Quote


def line(outcome: Outcome) -> str:
    """One line for people."""
    name = outcome.stage.split("/")[0]
    text = {
        "curate": _curate,
        "train": _train,
        "dev": _generate,
        "choose": _choose,
        "generate": _generate,
        "compare": _compare,
        "judge": _judge,
        "annotate": _annotate,
        "report": lambda counts: "written",
    }[name](outcome.counts)
    mark = "·" if outcome.state == "unchanged" else "✓"
    return f"{mark} {outcome.stage}: {text}" + (", unchanged" if outcome.state == "unchanged" else "")


def too_few(outcome: Outcome, study: Study) -> str | None:
    """What to look at where curation came to less than half of what the quotas allow; else None."""
    from limakit.plan.examples import expected

    wanted, got = expected(study), outcome.counts.get("train", 0)
    if not study.recipe.sources or 2 * got >= wanted:
        return None
    return (
        f"  {got:,} of the {wanted:,} examples that the quotas allow. {outcome.folder}/card.md says which rule takes "
        "how many: add sources, or loosen the rule (curate.min_score, curate.min_chars)."
    )


def data(outcome: Outcome) -> dict[str, Any]:
    """One object for machines."""
    return {
        "stage": outcome.stage,
        "state": outcome.state,
        "counts": dict(outcome.counts),
        "folder": str(outcome.folder),
    }


def exported(done: Mapping[str, Any]) -> str:
    """What an export wrote and what it left out."""
    left = "".join(f", {count:,} left out: {reason}" for reason, count in done["left_out"].items())
    found = "".join(f", {count:,} × {kind} accepted" for kind, count in done["findings"].items())
    return f"✓ export: {done['exported']:,} examples as {done['format']} in {done['folder']}{left}{found}"


def forgotten(done: Mapping[str, Any], study: Path) -> str:
    """What forgetting an author took away, and what is beyond its reach."""
    gone = ", ".join(f"{count:,} of {split}" for split, count in done["gone"].items())
    lines = [f"✓ forget: remembered; {gone or 'no post of theirs'} {'are' if gone else 'was'} gone"]
    if done["removed"]:
        lines.append(f"  removed, as made from their posts: {', '.join(done['removed'])}")
    if done["checkpoints_kept"]:
        lines.append(f"  {', '.join(done['checkpoints_kept'])} had seen their posts and is kept: --models removes it")
    if gone:
        lines.append(f"  Copies and exports outside the study are yours to mend. Next: limakit run {typed(study)}")
    return "\n".join(lines)


def next_step(study: Path, stage: str, recipe: Recipe) -> str:
    """What to do once `stage` is done."""
    ask = f"limakit people invite {typed(study)} NAME` and `limakit studio {typed(study)}"
    return {
        "curate": f"read {study}/curate/train.jsonl and card.md, then `limakit train {typed(study)}`"
        if recipe.learns
        else f"`limakit generate {typed(study)}`",
        "train": f"read {study}/train/tuned/preflight.txt, then `limakit generate {typed(study)}`",
        "choose": f'look at {study}/choose/choice.svg; set generate.checkpoint to "chosen", or to a number to overrule '
        f"it, then `limakit generate {typed(study)}`",
        "generate": f"`limakit judge {typed(study)}`",
        "judge": f"`limakit report {typed(study)}`, or ask people too: `limakit studio {typed(study)}`",
        "annotate": f"`limakit report {typed(study)}` for the numbers, `limakit studio {typed(study)}` to ask people",
        "report": f"open {(study / 'report' / 'index.html').resolve()}\n"
        + (
            f"      then change {study}/recipe.toml (your own dumps, your own base model) and "
            f"`limakit run {typed(study)}`"
            if recipe.learns
            else f"      then ask colleagues (`{ask}`), and `limakit report {typed(study)}` again"
        ),
    }[stage]


def exported_model(done: Exported) -> str:
    """What `limakit export` wrote, for people."""
    more = f"\n  {done.gguf} for llama.cpp" if done.gguf else ""
    same = "bit for bit the same" if done.difference == 0 else f"at most {done.difference:.1g} apart"
    text = f"✓ epoch {done.epoch} is in {done.folder}; opened again, its logits are {same}{more}"
    return f"{text}\nNext: vllm serve {done.folder}"


def exported_model_data(done: Exported) -> dict[str, Any]:
    """The same for machines."""
    gguf = str(done.gguf) if done.gguf else None
    return {"folder": str(done.folder), "epoch": done.epoch, "difference": done.difference, "gguf": gguf}


def _curate(counts: Mapping[str, Any]) -> str:
    if "train" not in counts:
        more = counts["beyond_max_test_prompts"]
        beyond = f", {more:,} more beyond curate.max_test_prompts" if more else ""
        return f"{counts['test']:,} prompts to compare systems on{beyond}; nothing is trained here"
    people = f"; {counts['decisions']:,} decisions of people followed" if counts.get("decisions") else ""
    if counts.get("decisions_unmet"):
        people += f"; {counts['decisions_unmet']:,} decisions on candidates that are no longer there"
    return (
        f"{counts['answers']:,} answers read, {counts['rejected']:,} rejected, {counts['quarantined']:,} rows "
        f"quarantined; {counts['train']:,} train, {counts['dev']:,} dev, {counts['test']:,} test{people}"
    )


def _train(counts: Mapping[str, Any]) -> str:
    epochs, steps = (f"{counts[name]:,} {name if counts[name] != 1 else name[:-1]}" for name in ("epochs", "steps"))
    said = f"{epochs}, {steps}, loss {counts['loss']:.3f}"
    if counts.get("stop_rate") is None:
        return said
    asked, limit = counts["stop_prompts"], counts["stop_limit"]
    return f"{said}; {counts['stop_rate']:.0%} of {asked} dev prompts answered to an end within {limit} tokens"


def _annotate(counts: Mapping[str, Any]) -> str:
    more = [f"{counts[name]:,} {words}" for name, words in _OF_VOTES.items() if counts[name]]
    people = len(counts["people"])
    return (
        f"{counts['verdicts']:,} verdicts and {counts['grades'] + counts['turns']:,} grades by {people} "
        f"{'person' if people == 1 else 'people'}{''.join(f', {text}' for text in more)}"
    )


_OF_VOTES = {
    "turns": "of the grades for turns of conversations",
    "skipped": "of them skipped",
    "repeats": "repeated items",
    "outdated": "for answers no longer there",
}


def _choose(counts: Mapping[str, Any]) -> str:
    missing = f", {counts['missing']} without a verdict" if counts["missing"] else ""
    sure = "ahead of every other" if counts["sure"] else "others may be as good, see choice.json"
    return (
        f"epoch {counts['epoch']} wins {counts['win_rate']:.0%} ({counts['low']:.0%} to {counts['high']:.0%}) of its "
        f"{counts['judge']} comparisons; {counts['pairs']:,} pairs{missing}; {sure}"
    )


def _generate(counts: Mapping[str, Any]) -> str:
    if "file" in counts:
        more = "".join(f", {counts[name]:,} {words}" for name, words in _OF_ROWS.items() if counts[name])
        return f"{counts['responses']:,} answers from the {counts['rows']:,} rows of {counts['file']}{more}"
    if not counts["responses"]:
        return "no prompts to answer"
    return (
        f"{counts['responses']:,} answers, {counts['stop_rate']:.0%} ended by themselves, "
        f"{counts['mean_tokens']:.0f} tokens on average"
    )


_OF_ROWS = {
    "without": "prompts without one",
    "surplus": "rows to no prompt of this study left out",
    "further": "further answers to the same prompt left out (generate.samples takes more)",
    "unanswered": "rows without an answer",
    "empty": "of the answers empty",
    "misread": "with characters that a wrong encoding leaves (cafÃ©)",
}


def _compare(counts: Mapping[str, Any]) -> str:
    same = f", {counts['identical']:,} of them with the same text twice" if counts.get("identical") else ""
    return f"{counts['pairs']:,} blind pairs of {counts['asked']:,} asked for{same}"


def _judge(counts: Mapping[str, Any]) -> str:
    missing = f", {counts['missing']} without a verdict" if counts["missing"] else ""
    bill = " (a smoke test)"
    if "cost" in counts:
        bill = f"; cost {counts['cost']:,.2f}" if counts["cost"] >= 1 else f"; cost {counts['cost']:.2g}"
    if "grades" in counts:
        systems = (
            f"{name} {', '.join(f'{value} {n}' for value, n in values.items() if value != 'missing') or 'none'}"
            for name, values in counts["grades"].items()
        )
        return f"of {counts['answers']:,} answers {'; '.join(systems) or 'none was to be graded'}{missing}{bill}"
    won = ", ".join(f"{name} {n}" for name, n in counts["won"].items())
    conflicts = f" ({counts['conflicts']} because the orders disagreed)" if counts.get("conflicts") else ""
    return f"of {counts['pairs']:,} pairs {won or 'nobody won any'}, {counts['tie']} tied{conflicts}{missing}{bill}"


def quote(found: "Quote") -> str:
    """What a judge has still to do, in a line."""
    if not found.missing:
        return f"{found.judge}: nothing left to ask"
    there = found.calls - found.missing
    calls = f"{found.judge}: {found.missing:,} calls" + (
        f" ({there:,} of {found.calls:,} are answered)" if there else ""
    )
    if found.left is None:
        return f"{calls}, on this machine, at no cost"
    cost = f"about {_money(found.about)}, at most {_money(found.most)}"
    return f"{calls}, {cost}; {_money(found.left)} of the budget is left"


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{amount:.2g}"
