"""Which tuples of a batch a loss looks at: (anchor, positive, related, negative), or triplets without related."""

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


class Triplets(NamedTuple):
    """Indices into the batch."""

    anchor: Int64[Tensor, "t"]
    positive: Int64[Tensor, "t"]
    negative: Int64[Tensor, "t"]


Margin = float | Float[Tensor, "b b"]
"""One for all pairs, or each pair's own."""


@torch.no_grad()
def mine(
    distances: Float[Tensor, "b b"],
    labels: Int64[Tensor, "b"],
    polarity: Int64[Tensor, "b"],
    margins: tuple[Margin, Margin],
    mining: Mining,
    generator: torch.Generator,
) -> Tuples:
    """Choose a related and a negative picture for every (anchor, positive) pair of the batch.

    Args:
        distances: unweighted D.
        labels: emotion of each picture.
        polarity: 1, 0, or -1 for an emotion without a side, which is neither related nor opposite to any.
        margins: alpha1 and alpha2; where pairs have their own, that of anchor and chosen picture counts.
        mining: how to choose.
        generator: on the CPU; the same seed gives the same tuples.

    Returns:
        Tuples with a valid related picture; pairs without one are dropped (method: semi-hard sampling).
    """
    same = labels[:, None] == labels[None, :]
    sided = (polarity[:, None] >= 0) & (polarity[None, :] >= 0)
    same_side = polarity[:, None] == polarity[None, :]
    anchor, positive = _positive_pairs(same)
    related = _choose(
        distances[anchor],
        distances[anchor, positive],
        (sided & same_side & ~same)[anchor],
        _of_rows(margins[0], anchor),
        mining,
        generator,
    )
    kept = related != NONE
    anchor, positive, related = anchor[kept], positive[kept], related[kept]
    negative = _choose(
        distances[anchor],
        distances[anchor, related],
        (sided & ~same_side)[anchor],
        _of_rows(margins[1], anchor),
        mining,
        generator,
    )
    return Tuples(anchor, positive, related, negative)


@torch.no_grad()
def mine_triplets(
    distances: Float[Tensor, "b b"],
    labels: Int64[Tensor, "b"],
    margin: float,
    mining: Mining,
    generator: torch.Generator,
) -> Triplets:
    """Choose a picture of another emotion for every (anchor, positive) pair; pairs without a valid one are dropped."""
    same = labels[:, None] == labels[None, :]
    anchor, positive = _positive_pairs(same)
    negative = _choose(distances[anchor], distances[anchor, positive], ~same[anchor], margin, mining, generator)
    kept = negative != NONE
    return Triplets(anchor[kept], positive[kept], negative[kept])


def _positive_pairs(same: Bool[Tensor, "b b"]) -> tuple[Int64[Tensor, "t"], Int64[Tensor, "t"]]:
    """All ordered pairs of two pictures with one emotion."""
    anchor, positive = same.clone().fill_diagonal_(False).nonzero(as_tuple=True)
    return anchor, positive


def _of_rows(margin: Margin, rows: Int64[Tensor, "t"]) -> float | Float[Tensor, "t b"]:
    return margin[rows] if isinstance(margin, Tensor) else margin


def _choose(
    candidates: Float[Tensor, "t b"],
    reference: Float[Tensor, "t"],
    eligible: Bool[Tensor, "t b"],
    margin: float | Float[Tensor, "t b"],
    mining: Mining,
    generator: torch.Generator,
) -> Int64[Tensor, "t"]:
    """Per row, one eligible column; -1 where there is none.

    By chance every eligible column of a row is as likely. One number a row is drawn, not one a column: there are about
    as many rows as columns squared.
    """
    low, high = reference[:, None], reference[:, None] + margin
    match mining:
        case Mining.SEMI_HARD:
            eligible = eligible & (candidates > low) & (candidates < high)
        case Mining.RANDOM:
            eligible = eligible & (candidates < high)
        case Mining.HARD:
            nearest = candidates.masked_fill(~eligible, torch.inf).argmin(dim=1)
            return torch.where(eligible.any(dim=1), nearest, NONE)
    # In double precision u * n stays below n, so that its floor is one of 0..n-1.
    chance = torch.rand(len(candidates), generator=generator, dtype=torch.float64).to(candidates.device)
    so_far = eligible.cumsum(dim=1, dtype=torch.int32)
    n_eligible = so_far[:, -1]
    place = (chance * n_eligible).int() + 1
    chosen = torch.searchsorted(so_far, place[:, None])[:, 0]  # the first column with so many up to it
    return torch.where(n_eligible > 0, chosen, NONE)
