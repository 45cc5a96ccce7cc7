"""Texts of models and strangers, made harmless for a judge to read: material between marked lines, never instructions.

Three walls. The marked lines and the verdict carry a code that is drawn from all that is shown, so a text cannot know
it. Every line of a text begins with `| `, so none can look like a marked line, a verdict or a new turn. Special tokens
of chat formats, whose effect no reading can undo, are broken up, and hidden characters are shown by name.
"""

import hashlib
import re
import unicodedata

_OPEN, _BAR, _CLOSE = "<＜‹〈⟨〈❮", "|｜∣│┃❘ǀ¦￨", ">＞›〉⟩〉❯"
_PIPED = re.compile(rf"([{_OPEN}])([{_BAR}])(?=[^{_BAR}\n]{{0,64}}[{_BAR}][{_CLOSE}])")
_NAMES = (
    "s|bos|eos|pad|unk|mask|cls|sep|sot|eot|eod|eom|think|turn|human|assistant|user|system|im_start|im_end|endoftext|"
    "start_of_turn|end_of_turn|start_of_image|end_of_image|start_header_id|end_header_id|tool_call|tool_response|"
    r"extra_id_\d+|fim_\w+|unused\d+|0x[0-9a-f]{2}"
)
_TAGGED = re.compile(rf"([{_OPEN}])(?=/?(?:{_NAMES})[{_CLOSE}])", re.IGNORECASE)
_DOUBLED = re.compile(rf"([{_OPEN}])(?=[{_OPEN}]/?SYS[{_CLOSE}])", re.IGNORECASE)
_BRACKETED = re.compile(
    r"([\[［])(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|IMG|gMASK|sMASK|MASK|CLS|SEP|"
    r"PAD|UNK|BOS|EOS)[\]］])",
    re.IGNORECASE,
)
_MARKED = re.compile(r"(\[|［)(?=[\[［]\s*(?:BEGIN|END)\b)", re.IGNORECASE)
_KEPT = {"\n", "\t", "\u200c", "\u200d"}
"""Control and format characters that ordinary text needs; the last two join letters and emoji."""


def code(*shown: str | int) -> str:
    """Eight hexadecimal digits drawn from everything that is shown, the same every time."""
    digest = hashlib.sha256()
    for part in shown:
        data = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:8]


def block(title: str, text: str, nonce: str) -> str:
    """A text between its marked lines; an empty one has no line in between."""
    return "\n".join([f"[[BEGIN {title} {nonce}]]", *_lines(text, nonce), f"[[END {title} {nonce}]]"])


def _lines(text: str, nonce: str) -> list[str]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(map(_seen, text))
    for pattern in (_TAGGED, _DOUBLED, _BRACKETED, _MARKED):
        text = pattern.sub(r"\1 ", text)
    text = re.sub(re.escape(nonce), "-" * len(nonce), _PIPED.sub(r"\1 \2", text), flags=re.IGNORECASE)
    return [f"| {line}" for line in text.split("\n")] if text else []


def _seen(character: str) -> str:
    """Control, format, private and unassigned characters and odd line ends by code point, all others as they are."""
    if character in _KEPT or (character.isascii() and character.isprintable()):
        return character
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return f"⟨U+{ord(character):04X}⟩" if hidden else character
