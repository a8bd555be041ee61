"""Whether our rows stand in the source's order, as far as the intervals can tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from training.evaluation.outcome import LOWER_IS_BETTER
from training.evaluation.paired import Difference
from training.experiments.figures import Figures, Setting
from training.experiments.rows import Row

NAMED: Final = 5
"""Reversed pairs of one figure that a page spells out."""


@dataclass(frozen=True)
class Pair:
    """Two rows that the source ranks."""

    worse: Row
    """In the source."""
    better: Row
    difference: Difference
    """Ours, better less worse."""


@dataclass(frozen=True)
class Order:
    """All pairs of rows by one figure."""

    figure: str
    setting: Setting
    pairs: tuple[Pair, ...]

    @property
    def confirmed(self) -> list[Pair]:
        """Pairs in the source's order, beyond the interval."""
        return [pair for pair in self.pairs if pair.difference.verdict == "better"]

    @property
    def reversed(self) -> list[Pair]:
        """Pairs in the opposite order, beyond the interval."""
        return [pair for pair in self.pairs if pair.difference.verdict == "worse"]

    @property
    def undecided(self) -> list[Pair]:
        """Pairs whose interval holds zero."""
        return [pair for pair in self.pairs if not pair.difference.verdict]


def find_order(figures: Figures, rows: Sequence[Row], figure: str, setting: Setting) -> Order | None:
    """The order of the rows by a figure; None where the source or we have fewer than two of them."""
    ranked = [row for row in rows if figure in row.source]
    pairs = []
    for one, two in combinations(ranked, 2):
        if one.source[figure] == two.source[figure]:
            continue
        is_rising = one.source[figure] < two.source[figure]
        worse, better = (one, two) if is_rising != (figure in LOWER_IS_BETTER) else (two, one)
        ours = figures.between(worse.key, better.key, setting)
        if figure in ours:
            pairs.append(Pair(worse, better, ours[figure]))
    return Order(figure, setting, tuple(pairs)) if pairs else None


def reversed_in_words(order: Order) -> str:
    """The pairs that stand the other way round, widest first; `<` is "worse than" in the source."""
    widest = sorted(order.reversed, key=lambda pair: -abs(pair.difference.difference))
    told = [
        f"{pair.worse.title} < {pair.better.title} ({pair.difference.difference:+.3f} "
        f"[{pair.difference.low:+.3f}, {pair.difference.high:+.3f}])"
        for pair in widest[:NAMED]
    ]
    more = [f"and {len(widest) - NAMED} more"] if len(widest) > NAMED else []
    return "; ".join(told + more)
