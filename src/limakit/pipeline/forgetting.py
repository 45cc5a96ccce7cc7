"""Forget an author: their posts leave every artefact of the study, and no later curation takes them again."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from limakit.engine import Progress
from limakit.errors import StudyError
from limakit.pipeline import reviews
from limakit.pipeline.curating import curate
from limakit.records import Example, Prompt, Provenance
from limakit.store import forgotten as memory
from limakit.store.files import read_jsonl
from limakit.store.study import MANIFEST, Study

EXPERIMENTS = ("ablate", "dialogue")
SPLITS: dict[str, Any] = {"train": Example, "dev": Prompt, "test": Prompt}
ANSWERS = ("generate", "compare", "judge", "choose", "superficiality")
"""Stages that hold what was made of dev and test prompts."""


def forget(study: Study, author: str, *, models: bool, progress: Progress) -> dict[str, Any]:
    """Remember the author, curate anew without them, and remove what was made from their posts.

    `author` is a name or the address of an author's page. Where they had posts in the splits, the report goes, and
    with posts among the prompts also answers, pairs and verdicts; an experiment goes whole where one of its variants
    holds their posts; trained checkpoints only where `models` asks for it, their preflight.txt, which shows training
    texts, always. What people decided on their posts in the studio goes, and edited texts with it. Raises what curation
    raises, for example where a source is no longer there; the author is remembered then, and curate/ as it was.
    """
    if not author.strip():
        raise StudyError("no author named", fix="Name one: --author NAME, or the address of their page.")
    known = memory.load(study.root)
    wanted = known.and_also([author])
    gone: Counter[str] = Counter()
    aliases = [author]
    theirs: list[str] = []
    for split, kind in SPLITS.items():
        for name, posts in _origins(study, split, kind):
            if wanted.covers(posts):  # what is known and still there was left by a run that broke off
                theirs.append(name)
                gone[split] += 1
                mine = (post for post in posts if wanted.covers([post]) and post.author_url)
                aliases += [post.author_url for post in mine if post.author_url]
    memory.save(study.root, known.and_also(aliases))
    removed = _remove(study, gone, models=models) if gone else []
    reviews.forget(study, theirs)
    removed += [name for name in _variants(study, wanted.covers) if study.drop(name)]
    study.clear_shelf()
    if study.manifest("curate") is not None:
        while curate(study, progress)[0].state == "done":  # once more where it took decisions of people out
            pass
    return {"gone": dict(gone), "removed": removed, "checkpoints_kept": _checkpoints(study) if gone["train"] else []}


def _origins(study: Study, split: str, kind: Any) -> list[tuple[str, tuple[Provenance, ...]]]:
    path = study.path("curate", f"{split}.jsonl")
    return [(item.id, item.provenance) for item in read_jsonl(path, kind)] if path.exists() else []


def _remove(study: Study, gone: Counter[str], *, models: bool) -> list[str]:
    """Remove the stages that hold what was made from the posts; returns their names."""
    removed = ["report"]
    if gone["dev"] or gone["test"]:
        removed += [stage for stage in _stages(study) if stage.split("/")[0] in ANSWERS]
    if gone["train"]:
        trained = _checkpoints(study)
        removed += trained if models else [f"{stage}/preflight.txt" for stage in trained]
        removed.append("export")
    return [name for name in removed if study.drop(name)]


def _variants(study: Study, covered: Callable[[tuple[Provenance, ...]], bool]) -> list[str]:
    """The experiments of which some variant, or what all have in common, holds posts that are `covered`."""
    found = []
    for name in EXPERIMENTS:
        splits = study.root.glob(f"{name}/*/curate/*.jsonl"), study.root.glob(f"{name}/prompts/*.jsonl")
        paths = (path for group in splits for path in group if path.stem in SPLITS)
        if any(covered(item.provenance) for path in paths for item in read_jsonl(path, SPLITS[path.stem])):
            found.append(name)
    return found


def _stages(study: Study) -> list[str]:
    found = (path.parent.relative_to(study.root).as_posix() for path in study.root.glob(f"*/**/{MANIFEST}"))
    return sorted(stage for stage in found if not stage.startswith("."))


def _checkpoints(study: Study) -> list[str]:
    return [stage for stage in _stages(study) if stage.split("/")[0] == "train"]
