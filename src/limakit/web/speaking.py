"""Models that talk: one answer at a time, in a thread of its own, that anybody may watch and its asker may stop."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from limakit.errors import LimakitError, ModelError
from limakit.models.sampler import Answer, Request
from limakit.pipeline.systems import Found, find
from limakit.recipe import DEFAULT_SYSTEMS, Generate
from limakit.records import Prompt, Turn
from limakit.store.study import Study

KEPT = 2
"""Models kept open: two may stand side by side."""


class Streams(Protocol):
    """A model that can be listened to, such as `models.local.LocalSampler`."""

    def stream(self, request: Request, settings: Generate, seed: int) -> Generator[str, None, Answer]: ...


Opens = Callable[[Found], Streams]


class Busy(LimakitError):
    """Somebody else's answer is being written."""


@dataclass(frozen=True, slots=True)
class End:
    """How an answer ended: whole, cut at the limit, stopped by its asker, or failed."""

    finish: str
    trimmed: int = 0
    error: str = ""


@dataclass
class Utterance:
    """One answer being written."""

    person: str
    system: str
    pieces: "queue.Queue[str | End]" = field(default_factory=queue.Queue)
    stop: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> Iterator[str | End]:
        """The pieces as they come, and at last how it ended."""
        while True:
            piece = self.pieces.get()
            yield piece
            if isinstance(piece, End):
                return


class Speaker:
    """All models of a study. `opens` makes a model from what the recipe names."""

    def __init__(self, study: Study, opens: Opens | None = None):
        self.study = study
        self._opens = opens or _open
        self._models: dict[Any, Streams] = {}
        self._deciding = threading.Lock()
        self.current: Utterance | None = None

    def systems(self) -> list[str]:
        """Names of everybody who can be asked, the recipe's own systems first."""
        recipe = self.study.recipe
        names = dict.fromkeys([*recipe.generate.systems, *recipe.systems, *sorted(DEFAULT_SYSTEMS)])
        return [name for name in names if recipe.system(name).kind != "answers"]

    def say(self, person: str, system: str, messages: Sequence[Turn]) -> Utterance:
        """Begin an answer to a dialogue that ends with the user.

        Raises Busy where another is being written, and what `pipeline.systems.find` raises.
        """
        found = find(self.study, system)
        with self._deciding:
            if self.current is not None:
                whose = "yours" if self.current.person == person else f"that of {self.current.person}"
                raise Busy(
                    f"another answer is being written ({whose}, by {self.current.system})",
                    fix="Wait for its end, or stop it if it is yours.",
                )
            said = self.current = Utterance(person=person, system=system)
        threading.Thread(target=self._write, args=(said, found, tuple(messages)), daemon=True).start()
        return said

    def stop(self, person: str) -> bool:
        """Stop the answer that this person asked for; False where none is being written."""
        current = self.current
        if current is None or current.person != person:
            return False
        current.stop.set()
        return True

    def _write(self, said: Utterance, found: Found, messages: tuple[Turn, ...]) -> None:
        end = End("stopped")
        try:
            recipe = self.study.recipe
            model = self._model(found)
            request = Request(prompt=Prompt(id=f"chat-{len(messages)}", messages=messages))
            stream = model.stream(request, recipe.generate, recipe.seed)
            while not said.stop.is_set():
                said.pieces.put(next(stream))
            stream.close()
        except StopIteration as last:
            end = End(last.value.finish, last.value.trimmed)
        except LimakitError as error:
            end = End("failed", error=str(error))
        except MemoryError:
            end = End("failed", error="The model does not fit into memory.")
        except Exception as error:
            end = End("failed", error=f"The model failed: {type(error).__name__}. The server's log says more.")
            raise
        finally:
            with self._deciding:
                self.current = None
            said.pieces.put(end)

    def _model(self, found: Found) -> Streams:
        """The model, opened if it is not; the one that was asked longest ago makes room."""
        key = (found.folder, found.kind)
        model = self._models.pop(key, None)
        if model is None:
            while len(self._models) >= KEPT:
                self._models.pop(next(iter(self._models)))
            model = self._opens(found)
        self._models[key] = model
        return model


def _open(found: Found) -> Streams:
    try:
        from limakit.models.local import load_system
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{error.name} is not installed, and models need it", fix="Install it: pip install 'limakit[train]'"
        ) from None
    return load_system(found.folder, found.kind)
