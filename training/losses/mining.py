"""Which tuples (anchor, positive, related, negative) of a batch the sentiment constraint looks at."""

from enum import StrEnum
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

NONE = -1


class Mining(StrEnum):
    """How a related or negative picture is chosen for a pair."""

    RANDOM = "random"
    """Uniform among those that violate the margin."""
    SEMI_HARD = "semi_hard"
    """Uniform among those farther than the pair, yet within the margin."""
    HARD = "hard"
    """The nearest."""


class Tuples(NamedTuple):
    """Indices into the batch; `negative` is -1 where no valid one was found."""

    anchor: Int64[Tensor, "t"]
    positive: Int64[Tensor, "t"]
    related: Int64[Tensor, "t"]
    negative: Int64[Tensor, "t"]


@torch.no_grad()
def mine(
    distances: Float[Tensor, "b b"],
    labels: Int64[Tensor, "b"],
    polarity: Int64[Tensor, "b"],
    margins: tuple[float, float],
    mining: Mining,
    generator: torch.Generator,
) -> Tuples:
    """Choose a related and a negative picture for every (anchor, positive) pair of the batch.

    Args:
        distances: unweighted D.
        labels: emotion of each picture.
        polarity: 1, 0, or -1 for an emotion without a side, which is neither related nor opposite to any.
        margins: alpha1 and alpha2.
        mining: how to choose.
        generator: on the CPU; the same seed gives the same tuples.

    Returns:
        Tuples with a valid related picture; pairs without one are dropped (method: semi-hard sampling).
    """
    same = labels[:, None] == labels[None, :]
    sided = (polarity[:, None] >= 0) & (polarity[None, :] >= 0)
    same_side = polarity[:, None] == polarity[None, :]
    anchor, positive = (same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)).nonzero(as_tuple=True)
    related = _choose(
        distances[anchor],
        distances[anchor, positive],
        (sided & same_side & ~same)[anchor],
        margins[0],
        mining,
        generator,
    )
    kept = related != NONE
    anchor, positive, related = anchor[kept], positive[kept], related[kept]
    negative = _choose(
        distances[anchor], distances[anchor, related], (sided & ~same_side)[anchor], margins[1], mining, generator
    )
    return Tuples(anchor, positive, related, negative)


def _choose(
    candidates: Float[Tensor, "t b"],
    reference: Float[Tensor, "t"],
    eligible: Bool[Tensor, "t b"],
    margin: float,
    mining: Mining,
    generator: torch.Generator,
) -> Int64[Tensor, "t"]:
    """Per row, one eligible column; -1 where there is none."""
    low, high = reference[:, None], reference[:, None] + margin
    match mining:
        case Mining.SEMI_HARD:
            eligible = eligible & (candidates > low) & (candidates < high)
        case Mining.RANDOM:
            eligible = eligible & (candidates < high)
        case Mining.HARD:
            pass
    by_chance = mining is not Mining.HARD
    score = torch.rand(candidates.shape, generator=generator).to(candidates) if by_chance else -candidates
    chosen = score.masked_fill(~eligible, -torch.inf).argmax(dim=1)
    return torch.where(eligible.any(dim=1), chosen, NONE)
