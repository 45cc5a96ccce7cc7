"""Who answers: from a system's name in the recipe to the model folder or the server that is asked, and how."""

from dataclasses import dataclass
from pathlib import Path

from limakit.errors import RecipeError
from limakit.models.hub import resolve_base
from limakit.models.layouts import Kind
from limakit.pipeline.outcome import need
from limakit.recipe import Base, System
from limakit.recipe_judges import SystemEndpoint
from limakit.recipe_train import InstructionTrain
from limakit.store.files import read_json
from limakit.store.study import Study

CHOICE = ("choose", "choice.json")
"""Stage and file in which `limakit choose` names the epoch to keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A system of the recipe, ready to be opened."""

    name: str
    kind: Kind
    folder: Path
    epoch: int | None = None
    """Of a tuned one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A system of the recipe that answers over HTTP."""

    name: str
    endpoint: SystemEndpoint

    @property
    def account(self) -> str:
        """Under which the ledger counts what it costs."""
        return f"system {self.name}"


def find(study: Study, name: str, epoch: int | None = None) -> Found | Remote:
    """The system of that name; `epoch` takes another checkpoint of a tuned one than the recipe does.

    Raises RecipeError where there is no such system or epoch, or a file speaks for it, StudyError where a stage has to
    run first, and ModelError where the folder is not a model's.
    """
    system = study.recipe.system(name)
    if system.kind == "answers":
        raise RecipeError(f"nobody can be asked as {name!r}: its answers are in a file", fix="Name another system.")
    if system.kind == "tuned":
        number = epoch or _epoch(study, system)
        return Found(name=name, kind="tuned", folder=checkpoint(study, number), epoch=number)
    if epoch is not None:
        raise RecipeError(f"{name!r} has no epochs: it is of kind {system.kind}", fix="Leave --epoch out.")
    if system.endpoint is not None:
        wanted = study.recipe.generate
        return Remote(name=name, endpoint=system.endpoint.sampled(wanted.temperature, wanted.max_new_tokens))
    if system.kind == "trained":
        last = need(study, f"train/{name}", f"epoch-{training(system).epochs:02d}/config.json")
        return Found(name=name, kind="tuned", folder=last.parent)
    assert system.kind != "endpoint"
    base = study.recipe.base
    if system.model is not None:
        base = Base(model=system.model, revision=system.revision)
    return Found(name=name, kind=system.kind, folder=resolve_base(base, study.root))


def find_local(study: Study, name: str) -> Found:
    """The system of that name, with its model here. Raises what `find` does, and RecipeError for a server."""
    found = find(study, name)
    if isinstance(found, Remote):
        raise RecipeError(f"{name!r} answers over a server", fix="Name a system whose model is in a folder here.")
    return found


def training(system: System) -> InstructionTrain:
    """How a system of kind `trained` is trained."""
    return system.train or InstructionTrain()


def checkpoint(study: Study, epoch: int) -> Path:
    """Folder of the model after that epoch."""
    epochs = study.recipe.train.epochs
    if not 1 <= epoch <= epochs:
        raise RecipeError(
            f"there is no epoch {epoch}: training has {epochs}",
            where=study.path("recipe.toml"),
            fix="Choose an epoch that is trained, or raise train.epochs.",
        )
    return need(study, "train/tuned", f"epoch-{epoch:02d}/config.json").parent


def _epoch(study: Study, system: System) -> int:
    """The epoch that the recipe means: a person's number, the chosen one, or the last."""
    wanted = system.checkpoint or study.recipe.generate.checkpoint
    if wanted == "last":
        return study.recipe.train.epochs
    return wanted if isinstance(wanted, int) else read_json(need(study, *CHOICE))["epoch"]
