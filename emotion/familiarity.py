"""How ordinary a picture is among those that a model was trained on, as a share of them."""

from typing import Final, Self

import numpy as np
from jaxtyping import Bool
from pydantic import BaseModel, ConfigDict, Field, model_validator

from emotion.arrays import Shares, Unfamiliarities

UNFAMILIAR_BELOW: Final = 0.05
"""One ordinary picture in twenty is called unfamiliar by mistake; at one in a hundred no chart is found."""


class FamiliarityScale(BaseModel):
    """What a distance to the training pictures means.

    The distances come from training pictures that the fit did not see (five-fold): those that it saw are nearer than
    any new picture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantiles: tuple[float, ...] = Field(min_length=2)
    """Of the distances, evenly spaced from the smallest to the largest."""
    unfamiliar_below: float = Field(default=UNFAMILIAR_BELOW, ge=0, le=1)
    """A picture whose familiarity is less is called unfamiliar."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not np.isfinite(self.quantiles).all() or (np.diff(self.quantiles) < 0).any():
            raise ValueError("the quantiles of familiarity are finite and do not fall")
        return self

    def familiarity(self, distances: Unfamiliarities) -> Shares:
        """Share of those pictures that are at least as far: 1 is perfectly ordinary, 0 farther than every one."""
        nearer = np.interp(distances, self.quantiles, np.linspace(0, 1, len(self.quantiles)))
        return np.asarray(1 - nearer, dtype=np.float32)

    def is_unfamiliar(self, familiarity: Shares) -> Bool[np.ndarray, "b"]:
        """Whether each picture is to be taken with caution."""
        return np.asarray(familiarity < self.unfamiliar_below)
