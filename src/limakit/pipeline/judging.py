"""Blind pairs, verdicts and the report."""

from collections import Counter
from collections.abc import Container
from pathlib import Path

from limakit.engine import Progress
from limakit.pipeline.outcome import Outcome, need, published, unchanged
from limakit.records import Example, Grade, Pair, Prompt, Response, Verdict
from limakit.store import files
from limakit.store.files import iter_jsonl, read_json, read_jsonl, write_jsonl
from limakit.store.study import MANIFEST, Study

LEARNED = {
    "curate": {"funnel": "funnel.json", "train": "train.jsonl"},
    "train/tuned": {"metrics": "metrics.jsonl", "run": "run.json"},
}
"""What the report tells of a study that learns, and no other has: stage to files by the names of the inputs."""


def compare(study: Study, progress: Progress) -> list[Outcome]:
    """Set the candidate's answers against each baseline's, blind and in seeded order: compare/pairs.jsonl."""
    from limakit.compare.pairs import make_pairs

    recipe = study.recipe
    prompts = need(study, "curate", "test.jsonl")
    systems = [recipe.compare.candidate, *recipe.compare.baselines]
    answers = {system: need(study, f"generate/{system}", "responses.jsonl") for system in systems}
    work = study.begin(
        "compare",
        settings={"seed": recipe.seed, "samples": recipe.generate.samples, **recipe.compare.model_dump(mode="json")},
        inputs={"test.jsonl": prompts, **{f"{system}.jsonl": path for system, path in answers.items()}},
        code=["compare", "records.py"],
    )
    if work.done:
        return [unchanged(work)]
    pairing = make_pairs(
        read_jsonl(prompts, Prompt),
        [response for path in answers.values() for response in read_jsonl(path, Response)],
        candidate=recipe.compare.candidate,
        baselines=recipe.compare.baselines,
        samples=recipe.generate.samples,
        seed=recipe.seed,
    )
    write_jsonl(work.path("pairs.jsonl"), pairing.pairs)
    return [published(work, pairing.counts())]


def judge(study: Study, progress: Progress) -> list[Outcome]:
    """Judge by closeness to the written references, a smoke test, where there are any, and by each language model that
    the recipe names."""
    from limakit.pipeline.model_judging import judge_by_model

    by_metric = [_judge_by_metric(study, progress)] if _measurable(study) else []
    return [*by_metric, *(judge_by_model(study, settings, progress) for settings in study.recipe.judges)]


def _measurable(study: Study) -> bool:
    """Whether any pair has a written answer to be compared with."""
    return any((pair.reference or "").strip() for pair in iter_jsonl(need(study, "compare", "pairs.jsonl"), Pair))


def _judge_by_metric(study: Study, progress: Progress) -> Outcome:
    from limakit.judge import reference

    pairs, settings = need(study, "compare", "pairs.jsonl"), study.recipe.judge
    work = study.begin(
        f"judge/{settings.folder}",
        settings=settings.model_dump(mode="json"),
        inputs={"pairs.jsonl": pairs},
        code=["judge", "records.py"],
    )
    if work.done:
        return unchanged(work)
    items, verdicts = read_jsonl(pairs, Pair), []
    for verdict in reference.judge(items, tie_band=settings.tie_band):
        verdicts.append(verdict)
        progress("judging", len(verdicts), len(items), "pairs")
    write_jsonl(work.path("verdicts.jsonl"), verdicts)
    won = Counter(verdict.winner for verdict in verdicts if verdict.winner)
    labels = Counter(verdict.label or "missing" for verdict in verdicts)
    counts = {"pairs": len(items), "won": dict(sorted(won.items())), "tie": labels["tie"], "missing": labels["missing"]}
    return published(work, counts)


def _comparing(study: Study) -> list[str]:
    """Stages of the judges that compare pairs."""
    metric = [f"judge/{study.recipe.judge.folder}"] if _measurable(study) else []
    return [*metric, *(f"judge/{j.name}" for j in study.recipe.judges if j.task == "pairwise")]


def _grading(study: Study) -> list[str]:
    """Stages of the judges that grade single answers."""
    return [f"judge/{j.name}" for j in study.recipe.judges if j.task != "pairwise"]


def _others(study: Study, name: str, known: Container[str]) -> dict[str, Path]:
    """Verdicts or grades by people, and by judges that the recipe no longer names: stage to file."""
    found = (path for area in ("annotate", "judge") for path in sorted(study.path(area).rglob(name)))
    stages = {path.parent.relative_to(study.root).as_posix(): path for path in found}
    return {stage: path for stage, path in stages.items() if stage not in known}


EXPERIMENTS = {"ablate": "ablate/report", "dialogue": "dialogue/report", "superficiality": "superficiality"}
"""Where each experiment publishes its page; the report shows what is there."""


def _experiments(study: Study) -> dict[str, Path]:
    """Numbers and figures of finished experiments, by their place in the study."""
    done = [study.path(place) for place in EXPERIMENTS.values() if study.path(place, MANIFEST).is_file()]
    found = [path for folder in done for path in [folder / "report.json", *sorted(folder.glob("figures/*.svg"))]]
    return {path.relative_to(study.root).as_posix(): path for path in found}


def report(study: Study, progress: Progress) -> list[Outcome]:
    """Turn everything into numbers with intervals and one page: report/index.html, report.json, figures."""
    recipe = study.recipe
    found = {"test": need(study, "curate", "test.jsonl"), "pairs": need(study, "compare", "pairs.jsonl")}
    if recipe.learns:
        found |= {name: need(study, "curate", file) for name, file in LEARNED["curate"].items()}
        found |= {name: need(study, "train/tuned", file) for name, file in LEARNED["train/tuned"].items()}
    comparing, grading = _comparing(study), _grading(study)
    stages = ["curate", *(["train/tuned"] if recipe.learns else [])]
    stages += [*(f"generate/{system}" for system in recipe.generate.systems), "compare", *comparing, *grading]
    verdicts = {stage: need(study, stage, "verdicts.jsonl") for stage in comparing}
    grades = {stage: need(study, stage, "grades.jsonl") for stage in grading}
    verdicts |= _others(study, "verdicts.jsonl", verdicts)
    grades |= _others(study, "grades.jsonl", grades)
    answers = {s: need(study, f"generate/{s}", "responses.jsonl") for s in recipe.generate.systems}
    manifests = {stage: need(study, stage, "manifest.json") for stage in stages}
    tried = _experiments(study)
    work = study.begin(
        "report",
        settings={"study": study.name, "recipe": recipe.resolved()},
        inputs={
            **found,
            **answers,
            **{f"{stage}/verdicts": path for stage, path in verdicts.items()},
            **{f"{stage}/grades": path for stage, path in grades.items()},
            **{f"{stage}/manifest": path for stage, path in manifests.items()},
            **tried,
        },
        code=["report", "pipeline/novelty.py", "curate/tfidf.py", "curate/words.py", "records.py"],
    )
    if work.done:
        return [unchanged(work)]
    from limakit.pipeline.novelty import out_of_distribution
    from limakit.report.inputs import Experiment, Inputs
    from limakit.report.page import build

    prompts = read_jsonl(found["test"], Prompt)
    examples = read_jsonl(found["train"], Example) if "train" in found else []
    page = build(
        Inputs(
            study=study.name,
            recipe=recipe,
            prompts=len(prompts),
            pairs=read_jsonl(found["pairs"], Pair),
            verdicts=[verdict for path in verdicts.values() for verdict in read_jsonl(path, Verdict)],
            grades=[grade for path in grades.values() for grade in read_jsonl(path, Grade)],
            sensitive={prompt.id: prompt.sensitive for prompt in prompts if prompt.sensitive},
            responses=[response for path in answers.values() for response in read_jsonl(path, Response)],
            far=out_of_distribution(examples, prompts) if grades else {},
            examples=examples,
            funnel=read_json(found["funnel"]) if "funnel" in found else None,
            metrics=read_jsonl(found["metrics"], dict) if "metrics" in found else (),
            run=read_json(found["run"]) if "run" in found else None,
            manifests={stage: read_json(path) for stage, path in manifests.items()},
            experiments=[
                Experiment(
                    name=name,
                    page=f"../{place}/index.html",
                    said=read_json(tried[f"{place}/report.json"]).get("said", []),
                    figures={
                        path.stem: path.read_text(encoding="utf-8")
                        for key, path in tried.items()
                        if key.startswith(f"{place}/figures/")
                    },
                )
                for name, place in EXPERIMENTS.items()
                if f"{place}/report.json" in tried
            ],
        )
    )
    files.publish_text(work.path("index.html"), page.html)
    files.publish_json(work.path("report.json"), page.numbers)
    for name, svg in page.figures.items():
        files.publish_text(work.path("figures", f"{name}.svg"), svg)
    progress("report", 1, 1, "page")
    return [published(work, page.numbers["pairs"])]
