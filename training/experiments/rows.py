"""What a row of a table is: a method that learns from a fold's training pictures and judges its test pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from training.data.samples import Sample
from training.evaluation.evaluate import Scored


class FoldScores(NamedTuple):
    """What a method says of a fold, in the order of `Scored`."""

    test: Scored
    train: Scored
    """What the test pictures search in the paper's protocol."""


class Method(Protocol):
    """How a row comes about."""

    @property
    def settings(self) -> dict[str, Any]:
        """JSON of all that decides the figures, besides the pictures: a finished fold counts only under the same."""
        ...

    def score_fold(self, train: Sequence[Sample], test: Sequence[Sample], folder: Path) -> FoldScores:
        """Learn from `train`, judge both parts; files of its own go into `folder`, from which it may go on."""
        ...


@dataclass(frozen=True)
class NotRun:
    """A row that cannot be had here."""

    reason: str
    """Shown in the table: what is missing, and where a path to it goes if there is such an option."""


@dataclass(frozen=True)
class Row:
    """A row of a table."""

    key: str
    """Its folder."""
    title: str
    """As the source names it."""
    method: Method | NotRun
    source: Mapping[str, float] = field(default_factory=dict)
    """What the source document reports, named as in Evaluation.figures; fractions."""
    repeats: Sequence[Method] = ()
    """The same method from other seeds: a figure is the mean over `method` and these."""
