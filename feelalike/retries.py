"""When a call is made again, and how long to wait before."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class Retries:
    """How often and how long; waits double and are drawn at random, so that clients do not come back together."""

    attempts: int = 4
    """In all; 1 never makes a call again."""
    first_wait_s: float = 0.25
    """The first wait is up to this."""
    max_wait_s: float = 10.0
    """No wait is longer; a service that asks for a longer one is taken at its word, and the call ends."""

    def wait_s(self, n_made: int, retry_after_s: float | None, rng: random.Random) -> float | None:
        """Seconds to wait before the next attempt; None when there is none.

        Args:
            n_made: attempts so far.
            retry_after_s: what the service asks to wait at least.
            rng: of the jitter.
        """
        if n_made >= self.attempts or (retry_after_s or 0) > self.max_wait_s:
            return None
        jitter = rng.uniform(0, min(self.max_wait_s, self.first_wait_s * 2 ** (n_made - 1)))
        return min(self.max_wait_s, (retry_after_s or 0) + jitter)


def read_retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After asks for, given as seconds or as a date; None where it is missing or is neither."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
