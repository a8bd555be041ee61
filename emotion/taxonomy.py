"""Emotion label sets: names, polarity and, where there is one, the wheel that grades their likeness.

They are data: JSON files in emotion/taxonomies, or a user's own file of the same form (docs/data.md).
"""

import difflib
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from jaxtyping import Float32, Int64
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from emotion.arrays import ProbabilityRows
from emotion.errors import TaxonomyError

SHIPPED = Path(__file__).parent / "taxonomies"


class Polarity(StrEnum):
    """The two sides of an affective label set."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


class Emotion(BaseModel):
    """One label; `polarity` is None where a label takes no side (surprise, neutral)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """As labels and answers have it."""
    polarity: Polarity | None = None
    """Null where the emotion takes no side."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, given: Any) -> Any:
        """A bare name is an emotion of which no side is known."""
        return {"name": given} if isinstance(given, str) else given

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not name.strip() or name != name.strip() or "|" in name:
            raise ValueError(f'{name!r} cannot be a label: it is empty, begins or ends with a space, or holds "|"')
        return name

    @field_validator("polarity", mode="before")
    @classmethod
    def _neutral_takes_no_side(cls, given: Any) -> Any:
        return None if given == "neutral" else given


class Taxonomy(BaseModel):
    """A label set. The order of `emotions` is the order of every probability vector.

    Polarity is the hard hierarchy and the wheel only grades inside it. The two conflict at the wheel's borders:
    excitement and fear are neighbours of opposite polarity, while amusement and excitement share theirs at the
    largest distance. Whatever decides between related and opposite therefore asks the polarity first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    name: str
    """Of the label set."""
    emotions: tuple[Emotion, ...]
    """In the order of every probability vector."""
    wheel: tuple[str, ...] | None = None
    """All of them in their circular order, or null."""

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

    @cached_property
    def has_polarity(self) -> bool:
        """Whether both sides are taken; of a set with one side or none, no figure about polarity says anything."""
        return {Polarity.POSITIVE, Polarity.NEGATIVE} <= {emotion.polarity for emotion in self.emotions}

    def described(self) -> str:
        """The set in a few lines: its emotions by the side they take, and whether there is a wheel."""
        lines = [f"{self.name}: {len(self.emotions)} emotions, {'no ' if self.wheel is None else 'a '}wheel"]
        for side, title in ((Polarity.POSITIVE, "positive"), (Polarity.NEGATIVE, "negative"), (None, "neither")):
            mine = [emotion.name for emotion in self.emotions if emotion.polarity is side]
            lines += [f"  {title}: {', '.join(mine)}"] if mine else []
        return "\n".join(lines)

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

    def polarity_probabilities(
        self, probs: ProbabilityRows, *, several: bool = False
    ) -> dict[Polarity, Float32[np.ndarray, "b"]]:
        """Summed probability of each side, renormalised over the labels that take one; empty without polarity.

        With `several` emotions a picture the likeliest of a side takes the place of the sum: summed, many small
        probabilities would outweigh one large one.
        """
        if not self.has_polarity:
            return {}
        codes = self.polarity_codes()
        if several:
            positive, negative = (probs[:, codes == code].max(axis=1) for code in (1, 0))
        else:
            positive, negative = (probs[:, codes == code].sum(axis=1) for code in (1, 0))
        total = np.maximum(positive + negative, np.finfo(np.float32).tiny)
        return {Polarity.POSITIVE: positive / total, Polarity.NEGATIVE: negative / total}


def taxonomy_names() -> list[str]:
    """Label sets that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.json"))


def read_taxonomy(source: str | Path) -> Taxonomy:
    """Read a shipped label set by name, or a JSON file of the same form; `~` is the home folder.

    Raises TaxonomyError naming the shipped ones and the nearest, or what is wrong with the file.
    """
    path = SHIPPED / f"{source}.json" if str(source) in taxonomy_names() else Path(source).expanduser()
    if not path.is_file():
        near = difflib.get_close_matches(str(source), taxonomy_names(), n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise TaxonomyError(f"no label set or file {str(source)!r}; label sets: {', '.join(taxonomy_names())}{hint}")
    try:
        return Taxonomy.model_validate_json(path.read_bytes())
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise TaxonomyError(f"{path} is not a label set: {reasons}") from error


MIKELS: Final = read_taxonomy("mikels")
"""Read while importing: it is a file of this package, like the modules themselves."""
