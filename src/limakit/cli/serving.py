"""`limakit serve`: hand a checkpoint over to a server that others wrote, vLLM or transformers."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from limakit.errors import LimakitError
from limakit.pipeline.model_export import ready_to_serve
from limakit.pipeline.systems import Remote, find
from limakit.store.study import Study


def serve(study: Study, name: str | None, epoch: int | None, host: str, port: int) -> None:
    """Become the server: this process is replaced by it. Raises LimakitError where none is installed."""
    system = find(study, name or study.recipe.compare.candidate, epoch)
    if isinstance(system, Remote):
        raise LimakitError(f"{system.name!r} is served already", where=system.endpoint.base_url, fix="Ask it there.")
    if system.kind == "few_shot":
        raise LimakitError("a few-shot system is a prompt of limakit's, which servers do not know", fix="Serve base.")
    command(system.folder, host, port)  # told before anything is written
    words = command(ready_to_serve(study, system).resolve(), host, port)
    sys.stderr.write(f"Handing over to: {' '.join(words)}\n")
    sys.stderr.flush()
    os.execv(words[0], words)


def command(folder: Path, host: str, port: int) -> list[str]:
    """The server's command line: vLLM's where there is one, else that of transformers."""
    vllm, transformers = _program("vllm"), _program("transformers")
    if vllm:
        return [vllm, "serve", str(folder), "--host", host, "--port", str(port)]
    if transformers and find_spec("fastapi") and find_spec("uvicorn"):
        return [transformers, "serve", str(folder), "--host", host, "--port", str(port)]
    raise LimakitError(
        "there is no server installed", fix="pip install vllm (on a GPU), or: pip install 'transformers[serving]'"
    )


def _program(name: str) -> str | None:
    """A program beside this Python, else on PATH."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
