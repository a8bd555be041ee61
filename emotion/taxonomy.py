"""Emotion label sets: names, polarity and, where there is one, the wheel that grades their likeness."""

from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from typing import Self

import numpy as np
from jaxtyping import Float32, Int64
from pydantic import BaseModel, ConfigDict, model_validator

from emotion.arrays import ProbabilityRows
from emotion.errors import TaxonomyError


class Polarity(StrEnum):
    """The two sides of an affective label set."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


class Emotion(BaseModel):
    """One label; `polarity` is None where a label takes no side (surprise, neutral)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    polarity: Polarity | None = None


class Taxonomy(BaseModel):
    """A label set. The order of `emotions` is the order of every probability vector.

    Polarity is the hard hierarchy and the wheel only grades inside it. The two conflict at the wheel's borders:
    excitement and fear are neighbours of opposite polarity, while amusement and excitement share theirs at the
    largest distance. Whatever decides between related and opposite therefore asks the polarity first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    name: str
    emotions: tuple[Emotion, ...]
    wheel: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.names)) != len(self.emotions) or len(self.emotions) < 2:
            raise ValueError(f"taxonomy {self.name!r} needs at least two distinct emotions")
        if self.wheel is not None and sorted(self.wheel) != sorted(self.names):
            raise ValueError(f"the wheel of taxonomy {self.name!r} must name each of its emotions once")
        return self

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Emotion names in the order of the probabilities."""
        return tuple(emotion.name for emotion in self.emotions)

    def index(self, name: str) -> int:
        """Position of an emotion; raises TaxonomyError for a name the set does not have."""
        try:
            return self.names.index(name)
        except ValueError:
            known = ", ".join(self.names)
            raise TaxonomyError(f"unknown emotion {name!r}; taxonomy {self.name!r} has: {known}") from None

    def polarity_of(self, name: str) -> Polarity | None:
        """The side an emotion takes."""
        return self.emotions[self.index(name)].polarity

    def steps(self, a: str, b: str) -> int:
        """Shortest way round the wheel, 0..c//2.

        Without a wheel: 0 the same emotion, 1 the same polarity, 2 otherwise (our inference, so that the sentiment
        loss keeps its grading on label sets that have no circular order).
        """
        i, j = self.index(a), self.index(b)
        if self.wheel is None:
            return 0 if i == j else 1 if self.emotions[i].polarity is self.emotions[j].polarity else 2
        clockwise = abs(self.wheel.index(a) - self.wheel.index(b))
        return min(clockwise, len(self.wheel) - clockwise)

    def dis(self, a: str, b: str) -> int:
        """Mikels' wheel distance, 1 + steps (Yang et al., AAAI-18, section "Sentiment constraint")."""
        return 1 + self.steps(a, b)

    def dis_matrix(self) -> Float32[np.ndarray, "c c"]:
        """All pairs of `dis`."""
        return np.array([[self.dis(a, b) for b in self.names] for a in self.names], dtype=np.float32)

    def polarity_codes(self) -> Int64[np.ndarray, "c"]:
        """Per emotion: 1 positive, 0 negative, -1 neither."""
        codes = {Polarity.POSITIVE: 1, Polarity.NEGATIVE: 0, None: -1}
        return np.array([codes[emotion.polarity] for emotion in self.emotions], dtype=np.int64)

    def polarity_probabilities(self, probs: ProbabilityRows) -> dict[Polarity, Float32[np.ndarray, "b"]]:
        """Summed probability of each side, renormalised over the labels that take one."""
        codes = self.polarity_codes()
        positive = probs[:, codes == 1].sum(axis=1)
        negative = probs[:, codes == 0].sum(axis=1)
        total = np.maximum(positive + negative, np.finfo(np.float32).tiny)
        return {Polarity.POSITIVE: positive / total, Polarity.NEGATIVE: negative / total}


def _emotions(positive: Sequence[str], negative: Sequence[str]) -> tuple[Emotion, ...]:
    sides = [(name, Polarity.POSITIVE) for name in positive] + [(name, Polarity.NEGATIVE) for name in negative]
    return tuple(Emotion(name=name, polarity=polarity) for name, polarity in sorted(sides))


MIKELS = Taxonomy(
    name="mikels",
    emotions=_emotions(
        positive=("amusement", "awe", "contentment", "excitement"),
        negative=("anger", "disgust", "fear", "sadness"),
    ),
    wheel=("amusement", "contentment", "awe", "excitement", "fear", "sadness", "disgust", "anger"),
)
