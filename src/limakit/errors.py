"""Everything limakit raises on purpose.

    LimakitError          one clear line for the user: where, what is wrong, what to do
    ├── RecipeError       recipe.toml: syntax, unknown key, wrong type or value
    ├── StudyError        the study folder: missing, locked, damaged
    ├── InputError        a file the user gave: not what it claims to be, truncated, empty
    ├── ModelError        a base model or checkpoint: missing, damaged, not supported
    ├── TrainingError     training cannot go on: loss not finite, nothing to learn from
    └── MissingExtra      an optional extra is needed and not installed

The command line prints the message and exits with code 2. Anything else that escapes is a defect in limakit.
"""

import shlex


def typed(path: object) -> str:
    """A path as one types it in a shell, for the command that a message names."""
    return shlex.quote(str(path))


class LimakitError(Exception):
    """A mistake the user can mend.

    `what` says what is wrong, `where` names the file, row or field, `fix` names the next step.
    """

    def __init__(self, what: str, *, where: object = None, fix: str | None = None):
        self.what, self.where, self.fix = what, None if where is None else str(where), fix
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        text = " ".join(text.split())
        if self.fix:
            text = f"{text.rstrip('.')}. {self.fix}"
        return text


class RecipeError(LimakitError):
    """The recipe is wrong."""


class StudyError(LimakitError):
    """The study folder is missing, locked or damaged."""


class InputError(LimakitError):
    """A file the user gave cannot be read as what it claims to be."""


class ModelError(LimakitError):
    """A base model or checkpoint is missing, damaged or not supported."""


class TrainingError(LimakitError):
    """Training cannot go on."""


class MissingExtra(LimakitError):
    """An optional extra is needed and not installed."""

    def __init__(self, what: str, extra: str):
        self.extra = extra
        super().__init__(what, fix=f"Install it: pip install 'limakit[{extra}]'")

    def __reduce__(self) -> tuple[type["MissingExtra"], tuple[str, str]]:
        return MissingExtra, (self.what, self.extra)  # so that it comes out of a worker as what it was
