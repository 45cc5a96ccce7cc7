"""What did a thousand examples change? How far the tuned model's choices of words shift from the base model's.

After Lin et al. 2023 (URIAL, https://arxiv.org/abs/2312.01552): along the tuned model's own answers, each token is
looked up in what the base model would say at that place, seeing the same request and the answer so far. Rank 1:
unshifted; 2 or 3: marginal; beyond: shifted. If tuning is superficial, few tokens are shifted, most of them early and
of style.

They decode greedily; our answers are sampled, so a token may be rare for both models. Therefore the same is told of the
tuned model's first choice at each place, which no sampling touches.
"""

from pathlib import Path

from limakit.engine import Progress
from limakit.errors import RecipeError, StudyError, typed
from limakit.experiments.page import Page
from limakit.experiments.shift_numbers import Traced
from limakit.pipeline.outcome import Outcome, model_files, need, published, unchanged
from limakit.pipeline.systems import Found, find_local
from limakit.records import Prompt, Response
from limakit.store.files import read_jsonl, write_jsonl
from limakit.store.study import Study

FOLDER = "superficiality"


def superficiality(study: Study, most: int, progress: Progress) -> Outcome:
    """Trace the candidate's first answer to each of the first `most` test prompts: superficiality/index.html,
    report.json, tokens.jsonl.

    Raises RecipeError where the candidate is not tuned from the base model, StudyError where it has not answered yet.
    """
    recipe = study.recipe
    name = recipe.compare.candidate
    if recipe.system(name).kind != "tuned":
        raise RecipeError(
            f"compare.candidate is {name!r}, which is not tuned from the base model",
            where=study.path("recipe.toml"),
            fix='Name a system of kind "tuned".',
        )
    tuned, base = find_local(study, name), Found(name="base", kind="base", folder=_base(study))
    prompts, answers = need(study, "curate", "test.jsonl"), need(study, f"generate/{name}", "responses.jsonl")
    work = study.begin(
        FOLDER,
        settings={
            "most": most,
            "study": study.name,
            "seed": recipe.seed,
            "base": recipe.base.model_dump(mode="json"),
            "report": recipe.report.model_dump(mode="json"),
        },
        inputs={
            "test.jsonl": prompts,
            "responses.jsonl": answers,
            **model_files("tuned", tuned.folder),
            **model_files("base", base.folder),
        },
        code=["experiments", "models", "report", "records.py"],
    )
    if work.done:
        return unchanged(work)
    asked = {prompt.id: prompt for prompt in read_jsonl(prompts, Prompt)}
    told = [r for r in read_jsonl(answers, Response) if r.sample == 0 and r.text and r.prompt_id in asked][:most]
    if not told:
        raise StudyError("has no answer with any text", where=answers, fix=f"Run: limakit generate {typed(study.root)}")
    traced, names = trace(told, asked, tuned, base, progress)
    write_jsonl(work.path("tokens.jsonl"), traced)
    page = _page(study, traced, names, asked)
    page.write(work)
    shares = {name: share or 0.0 for name, share in page.numbers["first_choices"]["shares"].items()}
    return published(work, {"answers": page.numbers["answers"], "tokens": page.numbers["tokens"], **shares})


def _base(study: Study) -> Path:
    from limakit.models.hub import resolve_base

    return resolve_base(study.recipe.base, study.root)


def trace(
    answers: list[Response], asked: dict[str, Prompt], tuned: Found, base: Found, progress: Progress
) -> tuple[list[Traced], dict[int, str]]:
    """Every answer along both models, one after the other in memory, and what the tokens in it say by themselves."""
    from limakit.models.local_ranks import load_ranker

    ranker = load_ranker(tuned.folder, tuned.kind)
    spoken = [ranker.tokens(answer.text) for answer in answers]
    own = []
    for number, (answer, (ids, _)) in enumerate(zip(answers, spoken, strict=True), 1):
        own.append(ranker.along(asked[answer.prompt_id].messages, ids, [ids]))
        progress("tuned model along its answers", number, len(answers), "answers")
    used = sorted({token for ids, _ in spoken for token in ids} | {token for one in own for token in one.first})
    names = {token: ranker.name(token) for token in used}
    del ranker
    ranker = load_ranker(base.folder, base.kind)
    traced = []
    for number, (answer, (ids, pieces), mine) in enumerate(zip(answers, spoken, own, strict=True), 1):
        # The base model does not know the end of turn: where the tuned model would stop, there is nothing to look up.
        known = [token if token < ranker.vocabulary else ids[place] for place, token in enumerate(mine.first)]
        theirs = ranker.along(asked[answer.prompt_id].messages, ids, [ids, known])
        traced.append(
            Traced(
                prompt_id=answer.prompt_id,
                pieces=pieces,
                ids=ids,
                ranks=theirs.ranks[0],
                chances=[round(chance, 6) for chance in theirs.chances[0]],
                own_ranks=mine.ranks[0],
                first=mine.first,
                first_ranks=[
                    rank if token < ranker.vocabulary else 0
                    for rank, token in zip(theirs.ranks[1], mine.first, strict=True)
                ],
            )
        )
        progress("base model along the same answers", number, len(answers), "answers")
    return traced, names


def _page(study: Study, traced: list[Traced], names: dict[int, str], asked: dict[str, Prompt]) -> Page:
    from limakit.experiments.shift_page import build

    recipe = study.recipe
    return build(
        study.name,
        traced,
        names,
        asked,
        base=recipe.base.model,
        resamples=recipe.report.resamples,
        seed=recipe.seed,
        confidence=recipe.report.confidence,
    )
