"""The voice of an answer, checked: each check is a function of prompt and answer that says what jars and what to do.

The paper asks its writers for one voice that takes up the question and then answers it (section 2.2); it gives no list.
These checks are ours. They point, they do not decide: a writer may have a reason.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from limakit.author.prose import ITEM, content_words, opening, paragraphs, prose, quoted, sentences, words
from limakit.records import Turn

Check = Callable[[str, str], str | None]
"""Prompt and answer → one line that says what is wrong and the remedy, or None."""

LONGEST_PARAGRAPH = 180
LONGEST_ANSWER = 1000
"""Words; the longest answers of the paper's authors have about as many."""
LATE = 110
"""Words of a first paragraph from which the answer itself comes late."""
ACKNOWLEDGED_FROM = 80
"""Words of an answer from which it should take up the question first; a short one is the answer itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check says of one answer."""

    check: str
    """Name of the check's function."""
    says: str
    turn: int = 0
    """Place of the answer among the turns of its example, from 0."""


_MACHINE = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|virtual assistant|chat ?bot|machine)\b"
    r"|\bI(?:['’]m| am) (?:just |only |merely )?an? (?:ai|language model|virtual assistant|chat ?bot|machine)\b"
    r"|\bmy (?:training data|knowledge cut-?off|programming)\b",
    re.IGNORECASE,
)
_STOCK_START = re.compile(
    r"(?:certainly|sure(?: thing)?|absolutely|definitely|of course|no problem|gladly|great|excellent|good|wonderful"
    r"|what an? (?:great|interesting|good|lovely|wonderful|fascinating)|that(?:['’]s| is) an? (?:great|good|excellent"
    r"|interesting|fascinating|wonderful|really)|thank(?:s| you) for|I(?:['’]d| would) be (?:happy|glad|delighted)"
    r"|I(?:['’]m| am) (?:happy|glad|delighted) to)\b",
    re.IGNORECASE,
)
_NOT_STOCK = re.compile(
    r"(?:great|excellent|good|wonderful|sure|of course)\b(?! (?:question|idea|choice|point)|[!,.])", re.I
)
_STOCK_END = re.compile(
    r"\b(?:I )?hope (?:this|that|it|these) (?:\w+ )?helps?\b|\blet me know if\b|\b(?:please )?(?:feel|don['’]t) "
    r"(?:free|hesitate) to\b|\bgood luck\b|\bhappy (?:coding|cooking|travels|gardening)\b|\bhave fun\b"
    r"|\bwould you like me to\b|\bis there anything else\b",
    re.IGNORECASE,
)
_ANNOUNCES = re.compile(
    r"(?:here(?:['’]s| is| are) (?:a|an|the|some|my|your|\w+ (?:ways|tips|steps|ideas|reasons|suggestions))\b"
    r"|below (?:is|are|you(?:['’]ll| will) find)\b|in this (?:answer|response|guide)\b"
    r"|I(?:['’]ll| will| am going to) (?:explain|describe|walk|go through|give|list|show|try)\b)",
    re.IGNORECASE,
)
_EXPERIENCE = re.compile(
    r"\b[Ii]n my (?:own )?(?:experience|opinion|view|life|family|job|house|case)\b"
    r"|\b[Ww]hen I (?:was|had|lived|worked|tried)\b"
    r"|\bI(?:['’]ve| have) (?:\w+ )?(?:tried|used|been|had|lived|worked|seen|made|found|always|never)\b"
    r"|\bI (?:once|remember|used to|grew up|personally|usually|always|bought|love|hate|feel)\b"
    r"|\b[Mm]y (?:wife|husband|partner|mother|father|kids?|children|dog|cat|boss|friends?|own)\b"
)
_SAYS_SHORT = re.compile(
    r"\b(?:in|with|using) (?:a|one|two|1|2) (?:single |short )?(?:word|sentence|line)s?\b"
    r"|\b(?:one|single)[- ](?:word|sentence|line)\b"
    r"|\bbriefly\b|\bin brief\b|\bshort answer\b",
    re.IGNORECASE,
)
_WANTS_LIST = re.compile(
    r"\b(?:list|bullet|steps?|ideas|names?|options|examples|items|table|checklist|plan|agenda)\b", re.I
)
_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
_ADDRESSED = re.compile(r"\b(?:you|your|question|answer|asks?|asked|that|both|it)\b", re.IGNORECASE)
_ROLE = re.compile(
    r"\b(?:you are|you['’]re|pretend|imagine you|act as|play|role|speak as|in the voice|letter|poem|song|shanty|verse"
    r"|haiku|story|speech|diary|draft|write|rewrite|e-?mail|message|monologue|first person)\b",
    re.IGNORECASE,
)
"""Prompts that ask for somebody's voice or a text to be sent, to which rules for an answer do not apply."""


def empty(prompt: str, answer: str) -> str | None:
    """Nothing asked or nothing said."""
    if not prompt.strip():
        return "the prompt is empty: write what somebody would ask"
    return None if answer.strip() else "the answer is empty: write it, or leave the draft as it is for now"


def speaks_as_machine(prompt: str, answer: str) -> str | None:
    """Whether it speaks of itself as a model."""
    match = _MACHINE.search(prose(answer))
    return f"says {quoted(match)}: answer the question, and leave what is answering out of it" if match else None


def stock_opening(prompt: str, answer: str) -> str | None:
    """Whether it begins with a courtesy that would fit any question."""
    match = _STOCK_START.match(opening(answer))
    if match is None or _NOT_STOCK.match(opening(answer)):
        return None
    return f"opens with {quoted(match)}, which would fit any question: begin with what was asked"


def stock_ending(prompt: str, answer: str) -> str | None:
    """Whether it ends on a phrase that would fit any answer."""
    last = paragraphs(prose(answer))[-1:] or [""]
    match = _STOCK_END.search(last[0])
    if match is None or _ROLE.search(prompt):
        return None
    return f"ends with {quoted(match)}: stop where the answer is complete"


def announces_itself(prompt: str, answer: str) -> str | None:
    """Whether the first sentence says what the answer is going to do."""
    match = _ANNOUNCES.match(opening(answer))
    return f"opens with {quoted(match)}, an announcement: say the first thing itself" if match else None


def no_acknowledgement(prompt: str, answer: str) -> str | None:
    """Whether a long answer goes off without taking up the question."""
    if len(words(answer)) < ACKNOWLEDGED_FROM or _ROLE.search(prompt):
        return None
    first = " ".join(sentences(" ".join(paragraphs(answer)[:2]))[:3])
    if content_words(first) & content_words(prompt) or _ADDRESSED.search((sentences(first) or [""])[0]):
        return None
    return "its first sentences share no word with the question: take up what was asked, then answer"


def late_answer(prompt: str, answer: str) -> str | None:
    """Whether the acknowledgement is so long that the answer comes late."""
    parts = paragraphs(answer)
    size = len(words(parts[0])) if len(parts) > 2 else 0
    if size <= LATE:
        return None
    return f"the first paragraph has {size} words: one or two sentences to take up the question, then the answer"


def repeats_prompt(prompt: str, answer: str) -> str | None:
    """Whether it begins by saying the prompt again, eight words or more; a long prompt holds texts to be worked on."""
    asked, said = " ".join(words(prompt)), words(answer)[:8]
    if len(said) == 8 and len(asked) < 300 and f" {' '.join(said)} " in f" {asked} ":
        return f"begins with the prompt's own words (“{' '.join(said[:5])} …”): take it up in words of your own"
    return None


def claims_experience(prompt: str, answer: str) -> str | None:
    """Whether it speaks in the first person of a life that an assistant has not got."""
    match = None if _ROLE.search(prompt) else _EXPERIENCE.search(prose(answer))
    if match is None:
        return None
    return f"says {quoted(match)}, a life that an assistant has not got: say it of people in general, or leave it out"


def too_long(prompt: str, answer: str) -> str | None:
    """Whether it is longer than the matter can need, or than was asked for."""
    size = len(words(answer))
    if _SAYS_SHORT.search(prompt) and size > 80:
        return f"has {size} words where the prompt asks for brevity: keep to what was asked"
    if size > LONGEST_ANSWER:
        return f"has {size:,} words, more than {LONGEST_ANSWER:,}: keep what the question needs"
    return None


def wall_of_text(prompt: str, answer: str) -> str | None:
    """Whether a paragraph is too long to read on a screen."""
    size = max((len(words(part)) for part in paragraphs(answer) if not ITEM.match(part) and "|" not in part), default=0)
    return f"a paragraph of {size} words: divide it where the thought turns" if size > LONGEST_PARAGRAPH else None


def all_list(prompt: str, answer: str) -> str | None:
    """Whether it is a bare list although thoughts were asked for."""
    lines = [line for line in answer.splitlines() if line.strip()]
    items = sum(bool(ITEM.match(line)) for line in lines)
    if items < 5 or items < len(lines) - 1 or _WANTS_LIST.search(prompt):
        return None
    return f"is a list of {items} items and next to nothing else: say in sentences how they hang together"


def headings_in_short(prompt: str, answer: str) -> str | None:
    """Whether a short answer is cut up by headings."""
    size, count = len(words(answer)), len(_HEADING.findall(prose(answer)))
    if count < 2 or size >= 200:
        return None
    return f"{count} headings in {size} words: paragraphs are enough for an answer this short"


def shouts(prompt: str, answer: str) -> str | None:
    """Whether it exclaims more than once in fifty words."""
    text = prose(answer)
    marks, size = text.count("!"), len(words(text))
    if marks < 3 or marks * 50 <= size or _ROLE.search(prompt):
        return None
    return f"{marks} exclamation marks in {size} words: calm persuades better"


def open_code(prompt: str, answer: str) -> str | None:
    """Whether a code block is not closed, so that the rest of the answer would be code."""
    fences = sum(line.lstrip().startswith("```") for line in answer.splitlines())
    return "a code block is not closed: add a line with ```" if fences % 2 else None


CHECKS: tuple[Check, ...] = (
    empty,
    speaks_as_machine,
    stock_opening,
    announces_itself,
    no_acknowledgement,
    late_answer,
    repeats_prompt,
    claims_experience,
    stock_ending,
    too_long,
    wall_of_text,
    all_list,
    headings_in_short,
    shouts,
    open_code,
)
"""In the order in which a reader meets what they look at."""


def check(turns: Sequence[Turn]) -> list[Finding]:
    """What all checks say of every answer in a dialogue; acknowledging is asked of the first one only."""
    found = []
    for at, turn in enumerate(turns):
        if turn.role != "assistant":
            continue
        prompt = turns[at - 1].content if at else ""
        if empty(prompt, turn.content):
            found.append(Finding(check="empty", says=empty(prompt, turn.content) or "", turn=at))
            continue
        wanted = [test for test in CHECKS if at == 1 or test is not no_acknowledgement]
        found += [
            Finding(check=test.__name__, says=says, turn=at) for test in wanted if (says := test(prompt, turn.content))
        ]
    return found
