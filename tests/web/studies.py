"""A study whose answers are paired, written by hand, and its studio."""

from collections.abc import Sequence
from pathlib import Path

from limakit.compare.pairs import make_pairs
from limakit.records import Prompt, Response, Turn
from limakit.store import files

SYSTEMS = ("tuned", "base")
RECIPE = """
[annotate]
shared = {shared}
repeats = {repeats}
break_every = {break_every}
"""


def write_study(
    root: Path,
    *,
    count: int = 12,
    answers: Sequence[str] = (),
    shared: int = 50,
    repeats: float = 0.0,
    break_every: int = 10_000,
) -> Path:
    """A recipe, `count` test prompts (the last one sensitive), answers of two systems, and their pairs."""
    files.publish_text(root / "recipe.toml", RECIPE.format(shared=shared, repeats=repeats, break_every=break_every))
    prompts = [
        Prompt(
            id=f"t{n}",
            messages=(Turn(role="user", content=f"Question {n}: how do I keep **basil** alive?"),),
            sensitive="sensitive" if n == count - 1 else None,
            note="says to ask a gardener" if n == count - 1 else None,
        )
        for n in range(count)
    ]
    texts = answers or [f"Water it, number {n}.\n\n- light\n- warmth\n\n`x = {n}`" for n in range(count)]
    responses = {
        system: [
            Response(prompt_id=p.id, system=system, text=f"{texts[n % len(texts)]}", finish="eot", tokens=9)
            if k == 0
            else Response(prompt_id=p.id, system=system, text=f"Give it light, number {n}.", finish="eot", tokens=9)
            for n, p in enumerate(prompts)
        ]
        for k, system in enumerate(SYSTEMS)
    }
    files.write_jsonl(root / "curate" / "test.jsonl", prompts)
    for system, found in responses.items():
        files.write_jsonl(root / "generate" / system / "responses.jsonl", found)
        files.publish_json(root / "generate" / system / "manifest.json", {"counts": {}})
    everything = [response for found in responses.values() for response in found]
    pairing = make_pairs(prompts, everything, candidate="tuned", baselines=["base"], seed=0)
    files.write_jsonl(root / "compare" / "pairs.jsonl", pairing.pairs)
    for stage in ("curate", "compare"):
        files.publish_json(root / stage / "manifest.json", {"counts": {}})
    return root
