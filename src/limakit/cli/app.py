"""The command line: parse, call one stage function, show."""

from pathlib import Path
from typing import Annotated

import typer

from limakit.cli.experiments import ablate, dialogue, superficiality
from limakit.cli.numbers import power, stats
from limakit.cli.show import Screen, show_version
from limakit.cli.stages import run_stages
from limakit.cli.studio import people, studio
from limakit.cli.voice import style
from limakit.engine import Kind, connect
from limakit.errors import typed

app = typer.Typer(
    name="limakit",
    help="LIMA (Less Is More for Alignment) end to end: curate, train, generate, judge blind, report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of the study.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines for machines: results on stdout, progress on stderr.")]


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@app.command()
def new(
    study: StudyPath,
    recipe: Annotated[
        str, typer.Option(help="Recipe to start from.", metavar="lima|quickstart|starter|ablations|compare")
    ] = "lima",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Start a study: write its commented recipe.toml."""
    from limakit.cli import start

    path = start.new(study, recipe)
    screen = Screen(quiet=quiet, as_json=as_json)
    verb = "ablate" if recipe == "ablations" else "run"
    first = "put your files of answers into its folder" if recipe == "compare" else "read it"
    screen.result(f"Wrote {path}\nNext: {first}, then `limakit {verb} {typed(study)}`", {"recipe": str(path)})


@app.command()
def quickstart(
    study: Annotated[Path, typer.Argument(metavar="[STUDY]", help="Folder of the study.")] = Path("quickstart"),
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """The whole loop on the embedded model and sample data, in minutes."""
    from limakit.cli import start

    start.quickstart(study)
    run(study, quiet, as_json)


@app.command()
def curate(
    study: StudyPath,
    executor: Annotated[
        Kind, typer.Option(help="Who reads dumps and compares candidates; the result is the same.")
    ] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Address of a running cluster (Dask tcp://host:8786, Ray host:6379) whose workers see the same disk; "
            "without it dask and ray start their own here.",
            metavar="ADDRESS",
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Choose the examples worth learning from."""
    with connect(executor, scheduler) as pool:
        run_stages(study, ["curate"], quiet, as_json, executor=pool)


@app.command()
def train(study: StudyPath, quiet: Quiet = False, as_json: Json = False) -> None:
    """Fine-tune the base model on the curated examples."""
    run_stages(study, ["train"], quiet, as_json)


@app.command()
def choose(study: StudyPath, quiet: Quiet = False, as_json: Json = False) -> None:
    """Compare epochs blind on the dev prompts and name the one to keep."""
    run_stages(study, ["choose"], quiet, as_json)


@app.command()
def generate(study: StudyPath, quiet: Quiet = False, as_json: Json = False) -> None:
    """Let every system answer the test prompts."""
    run_stages(study, ["generate"], quiet, as_json)


@app.command()
def judge(
    study: StudyPath,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Pair the answers, say what judging them would cost, and stop.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Pair the answers blind and judge them."""
    if estimate:
        from limakit.cli.quotes import quotes

        quotes(study, quiet, as_json)
        return
    run_stages(study, ["compare", "judge"], quiet, as_json)


@app.command()
def annotate(study: StudyPath, quiet: Quiet = False, as_json: Json = False) -> None:
    """Turn what people said in the studio into verdicts and grades."""
    run_stages(study, ["annotate"], quiet, as_json)


@app.command()
def report(
    study: StudyPath,
    paper: Annotated[
        bool, typer.Option("--paper", help="Write the paper's own results with intervals into this folder instead.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Turn the verdicts into numbers with intervals and one HTML page."""
    if not paper:
        run_stages(study, ["annotate", "report"], quiet, as_json)
        return
    from limakit.cli import start

    path = start.paper(study)
    Screen(quiet=quiet, as_json=as_json).result(f"Wrote {path}", {"page": str(path)})


@app.command()
def run(study: StudyPath, quiet: Quiet = False, as_json: Json = False) -> None:
    """Do all that is left to do, from curation to report."""
    stages = ["curate", "train", "choose", "generate", "compare", "judge", "annotate", "report"]
    run_stages(study, stages, quiet, as_json, only_wanted=True)


@app.command()
def chat(
    study: StudyPath,
    system: Annotated[str | None, typer.Option(help="Who answers; by default the recipe's candidate.")] = None,
    epoch: Annotated[int | None, typer.Option(min=1, help="Another checkpoint of a tuned system.")] = None,
) -> None:
    """Talk with a system of the study, with the recipe's sampling settings."""
    from limakit.cli import talk
    from limakit.store.study import Study

    talk.talk(Study(study), system, epoch)


@app.command()
def serve(
    study: StudyPath,
    system: Annotated[str | None, typer.Option(help="Who answers; by default the recipe's candidate.")] = None,
    epoch: Annotated[int | None, typer.Option(min=1, help="Another checkpoint of a tuned system.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Hand a system over to vLLM, or to transformers where there is no vLLM, as an OpenAI-compatible server."""
    from limakit.cli import serving
    from limakit.store.study import Study

    serving.serve(Study(study), system, epoch, host, port)


@app.command()
def plan(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of a study or model, or a hub model's name.")],
    gpu_memory: Annotated[float, typer.Option(min=1, help="Memory of one GPU, GiB.")] = 80,
    gpus: Annotated[int, typer.Option(min=1, max=4096, help="How many of them.")] = 1,
    tflops: Annotated[float | None, typer.Option(min=0.001, help="What one reaches in training, TFLOP/s.")] = None,
    price: Annotated[float | None, typer.Option(min=0, help="What one costs an hour, with --tflops.")] = None,
    revision: Annotated[str, typer.Option(help="Branch, tag or commit of a hub model given by name.")] = "main",
    as_json: Json = False,
) -> None:
    """Reckon memory, time and cost of training before any is spent; of a study, a model folder or a hub model."""
    from limakit.store.study import Study

    hub_name = not study.exists() and len(study.parts) == 2 and not study.is_absolute()
    bare = hub_name or ((study / "config.json").is_file() and not (study / "recipe.toml").is_file())
    if not bare:
        _ = Study(study).recipe  # a mistake is told before torch is loaded
    from limakit.cli import say_plan
    from limakit.plan.run import plan as reckon
    from limakit.plan.run import plan_model

    if bare:
        found = plan_model(study, revision=revision, gib=gpu_memory, devices=gpus, tflops=tflops, price=price)
    else:
        found = reckon(Study(study), gib=gpu_memory, devices=gpus, tflops=tflops, price=price)
    Screen(quiet=False, as_json=as_json).result(say_plan.text(found, gpu_memory, gpus), found.data())
    if found.best is None:
        raise typer.Exit(1)


app.command()(ablate)
app.command()(dialogue)
app.command()(superficiality)
app.command()(stats)
app.command()(power)
app.command()(studio)
app.add_typer(people, name="people")
app.command()(style)


@app.command()
def export(
    study: StudyPath,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="New or empty folder to write to.")],
    layout: Annotated[
        str,
        typer.Option("--format", metavar="messages|alpaca|sharegpt|parquet|csv|model|gguf", help="What to write."),
    ] = "messages",
    accept_findings: Annotated[
        bool, typer.Option("--accept-findings", help="Export data although there are passages like keys or e-mails.")
    ] = False,
    without_findings: Annotated[
        bool, typer.Option("--without-findings", help="Leave out the examples in which such passages are.")
    ] = False,
    epoch: Annotated[int | None, typer.Option(min=1, help="Another checkpoint of the model than the recipe's.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the training set, or the tuned model checked logit by logit, with its card to a folder of its own."""
    from limakit.cli import say
    from limakit.store.study import Study

    screen, opened = Screen(quiet=quiet, as_json=as_json), Study(study)
    _ = opened.recipe
    if layout in {"model", "gguf"}:
        from limakit.pipeline.model_export import export_model, format_named

        model = export_model(opened, to, format_named(layout), epoch)
        screen.result(say.exported_model(model), say.exported_model_data(model))
        return
    from limakit.pipeline.exporting import export

    with opened.lock():
        done = export(opened, to, layout, accept_findings=accept_findings, leave_out_findings=without_findings)
    screen.result(say.exported(done), done)


@app.command()
def forget(
    study: StudyPath,
    author: Annotated[str, typer.Option(metavar="NAME", help="Name of the author, or the address of their page.")],
    models: Annotated[bool, typer.Option("--models", help="Also remove checkpoints trained on their posts.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Remove an author's posts from the study and keep them out of every later curation."""
    from limakit.cli import say
    from limakit.pipeline.forgetting import forget
    from limakit.store.study import Study

    screen, opened = Screen(quiet=quiet, as_json=as_json), Study(study)
    _ = opened.recipe
    with opened.lock(), screen.progress() as progress:
        done = forget(opened, author, models=models, progress=progress)
    screen.result(say.forgotten(done, study), done)


@app.command()
def doctor(
    study: Annotated[Path | None, typer.Argument(metavar="[STUDY]", help="Also check this study.")] = None,
    as_json: Json = False,
) -> None:
    """Say what is installed, what is missing and what to do about it."""
    from limakit.cli import checkup

    screen = Screen(quiet=False, as_json=as_json)
    checks = checkup.checks(study)
    for check in checks:
        screen.result(check.line(), check.data())
    if any(check.state == "missing" for check in checks):
        raise typer.Exit(1)
