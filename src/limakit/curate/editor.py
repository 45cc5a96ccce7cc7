"""What the scan of a source asks about a post, bound to a recipe's settings and pickled to the workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from limakit.curate import clean, escaped, prompts, remarks, rules

if TYPE_CHECKING:
    from limakit.recipe import Curate  # not at run time: workers need no recipe, and pydantic costs each 20 MB

Reason = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """The rules that a recipe asks for, in the order cheap to dear."""

    min_score: int
    min_chars: int
    max_chars: int
    drop_first_person: bool
    drop_references: bool
    min_prose_chars: int
    drop_missing_images: bool

    @classmethod
    def of(cls, settings: Curate) -> Editor:
        """The editor for a recipe's `[curate]`."""
        return cls(
            min_score=settings.min_score,
            min_chars=settings.min_chars,
            max_chars=settings.max_chars,
            drop_first_person=settings.drop_first_person,
            drop_references=settings.drop_references,
            min_prose_chars=settings.min_prose_chars,
            drop_missing_images=settings.drop_missing_images,
        )

    def judge(self, html: str) -> Reason | None:
        """The first rule against a response, with its detail, or None."""
        text = rules.text_of(html)
        if reason := self._length(text):
            return reason
        prose = rules.prose_of(html, text)
        return self._wording(prose) or self._image(html, prose)

    def judge_escaped(self, bodies: Sequence[bytes]) -> list[Reason | None]:
        """`judge` for many responses, each the value of a dump's attribute as it stands there; see `escaped`."""
        found: dict[int, Reason | None] = {}
        fit: dict[int, str] = {}
        long = [at for at, body in enumerate(bodies) if len(body) >= self.min_chars]
        coded: dict[int, bytes] = {}
        for at, (text, has_code) in zip(long, escaped.texts([bodies[at] for at in long]), strict=True):
            if reason := self._length(text):
                found[at] = reason
                continue
            fit[at] = text
            if has_code:
                coded[at] = bodies[at]
        fit |= escaped.texts_without_code(coded)
        for at, text in fit.items():
            prose = rules.without_formulas(text)
            found[at] = self._wording(prose)
            if found[at] is None and escaped.IMAGE in bodies[at]:
                found[at] = self._image(escaped.html_of(bodies[at]), prose)
        short = self._length("")
        return [found.get(at, short) for at in range(len(bodies))]

    def _length(self, text: str) -> Reason | None:
        if detail := rules.too_short(text, self.min_chars):
            return "too_short", detail
        if detail := rules.too_long(text, self.max_chars):
            return "too_long", detail
        return None

    def _wording(self, prose: str) -> Reason | None:
        if self.drop_first_person and (detail := rules.first_person(prose)):
            return "first_person", detail
        if self.drop_references and (detail := rules.references(prose)):
            return "references", detail
        if detail := rules.little_prose(prose, self.min_prose_chars):
            return "little_prose", detail
        return None

    def _image(self, html: str, prose: str) -> Reason | None:
        if self.drop_missing_images and (detail := rules.needs_image(html, prose)):
            return "needs_image", detail
        return None

    def reply(self, html: str) -> str:
        """The response as Markdown."""
        return clean.markdown(html)

    def spoilt(self, html: str, reply: str) -> Reason | None:
        """Why a body's response as Markdown must not be taken for it. None to keep it."""
        detail = rules.little_left(rules.text_of(html), reply)
        return ("little_left", detail) if detail else None

    def prompts(self, title: str, html: str) -> tuple[str, ...]:
        """Title and description, as far as each can stand alone."""
        return prompts.alternatives(title, html, self.max_chars)

    def remark(self, text: str) -> str:
        """A comment as a turn of a dialogue."""
        return remarks.plain(text)

    def exchange(self, asked: str, said: str) -> str | None:
        """Why a remark and the reply to it do not go on with a dialogue; the reply must pass the rules of wording."""
        if detail := remarks.too_little(asked, said):
            return detail
        prose = rules.prose_of("", said)
        if self.drop_first_person and (detail := rules.first_person(prose)):
            return f"first person: {detail}"
        if self.drop_references and (detail := rules.references(prose)):
            return f"references: {detail}"
        return None
