"""When to try a call again, and how long to wait first: the one policy for every server."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Retry:
    """Waits double from `first` seconds, less a share of up to one half that is drawn from the call's key, so that
    calls that failed together do not come back together. A server that says when to come back is obeyed."""

    attempts: int = 6
    first: float = 1.0
    longest: float = 120.0
    """A server that asks for more patience than this, in seconds, has the call given up."""

    def wait(self, attempt: int, key: str, asked: float | None) -> float | None:
        """Seconds before attempt number `attempt` + 1 (the first is 0), or None to give up.

        `asked` is what the server said; see `retry_after`.
        """
        if attempt + 1 >= self.attempts or (asked or 0) > self.longest:
            return None
        draw = int.from_bytes(hashlib.blake2b(f"{attempt}\0{key}".encode(), digest_size=4).digest(), "big") / 2**32
        return max(asked or 0, min(self.longest, self.first * 2**attempt) * (1 - draw / 2))


def retry_after(value: str | None, date: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, section 10.2.3): a number of seconds, or a time.

    A time is measured from the answer's own `date` header where there is one, because clocks differ, else from `now`.
    None where the header is missing or makes no sense.
    """
    value = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return float(value)
    until = _time(value)
    return None if until is None else max(0.0, (until - (_time(date or "") or now)).total_seconds())


def _time(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
