"""Timing side by side: contenders take turns, so that whatever else the machine does slows all of them alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median, quantiles
from typing import Final, NamedTuple

Work = Callable[[], object]

WARM_UP_CALLS: Final = 1
"""Before every turn, untimed: caches and thread pools belong to the contender of the turn before, and idle threads of
its libraries may still be spinning."""


class Ratio(NamedTuple):
    """How many times as much one contender takes as another."""

    median: float
    """Of the ratios of the rounds: both sides of each were measured within moments of each other."""
    low: float
    """First quartile of the rounds."""
    high: float
    """Third quartile."""

    @property
    def spread(self) -> str:
        """The quartiles as text."""
        return f"quartiles {self.low:.3g} to {self.high:.3g}"


def interleaved(
    contenders: Mapping[str, Work],
    *,
    rounds: int,
    calls: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds a call of each contender, one value a round.

    Each round begins with another contender, so that none always runs after the same one.

    Args:
        contenders: what to time.
        rounds: how often each gets its turn, at least 1.
        calls: timed calls a turn; the mean is kept.
        clock: gives seconds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in rotated(list(contenders), number):
            seconds[name].append(_turn(contenders[name], calls, clock))
    return seconds


def rotated(names: Sequence[str], number: int) -> list[str]:
    """The names from another start on; they wrap round."""
    start = number % len(names)
    return [*names[start:], *names[:start]]


def ratio(of: Sequence[float], to: Sequence[float]) -> Ratio:
    """Ratio of two rows of figures from the same rounds; raises ValueError for rows of another length."""
    shares = [a / b for a, b in zip(of, to, strict=True)]
    if len(shares) == 1:
        return Ratio(shares[0], shares[0], shares[0])
    low, _, high = quantiles(shares, n=4, method="inclusive")
    return Ratio(median(shares), low, high)


def in_ms(seconds: Sequence[float]) -> float:
    """Median in milliseconds."""
    return 1000 * median(seconds)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all do not exceed; NaN of none."""
    if not values:
        return float("nan")
    ranked = sorted(values)
    return ranked[max(0, -int(-share * len(ranked) // 1) - 1)]


def _turn(work: Work, calls: int, clock: Callable[[], float]) -> float:
    for _ in range(WARM_UP_CALLS):
        work()
    start = clock()
    for _ in range(calls):
        work()
    return (clock() - start) / calls
