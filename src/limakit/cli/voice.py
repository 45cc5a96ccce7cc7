"""The command that looks at the voice of written answers; it needs no study."""

from pathlib import Path
from typing import Annotated

import typer

from limakit.cli.show import Screen


def style(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Examples with messages, such as curate/train.jsonl.")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as one JSON object.")] = False,
) -> None:
    """Check the voice of written answers: what jars in each, what too many share, and what to do about it."""
    from limakit.cli import style as checks

    text, data = checks.report(file)
    Screen(quiet=False, as_json=as_json).result(text, data)
