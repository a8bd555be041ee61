"""The triplet loss by likeness of labels: nearer those that share more labels with the anchor.

Source: Choi, Lee and Ryu, "From image to emotion", section 4.3. Likeness is the inner product of the binary label
vectors: the number of labels that two pictures share. The study says which pictures may be negatives; how one of them
is drawn, and that embeddings are L2-normalised as the index needs them, is ours.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from training.losses.distances import squared_distances


class MultiLabelTriplets(NamedTuple):
    """Indices into the batch, at most one triplet for each anchor."""

    anchor: Int64[Tensor, "t"]
    positive: Int64[Tensor, "t"]
    negative: Int64[Tensor, "t"]


class Chances(NamedTuple):
    """A number for every pair; of the pictures an anchor may take, the one with the largest is taken."""

    positive: Float[Tensor, "b b"]
    easy: Float[Tensor, "b b"]
    negative: Float[Tensor, "b b"]


class MultiLabelTripletLoss(nn.Module):
    """Mean of [D(a,p) - D(a,n) + margin]_+ over mined triplets (equation 1; the mean in place of the sum).

    Args:
        margin: 1 or 2 in the study; D of normalised embeddings is 4 at most.
        shared: labels that a positive shares with its anchor, or all of the anchor's where it has fewer.
    """

    def __init__(self, *, margin: float = 1.0, shared: int = 2) -> None:
        super().__init__()
        self.margin = margin
        self.shared = shared

    def forward(
        self, embedding: Float[Tensor, "b d"], labels: Float[Tensor, "b c"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Loss of a batch of L2-normalised embeddings; 0, with a gradient, when no triplet is valid."""
        distances = squared_distances(embedding)
        chances = draw(len(embedding), generator)
        anchor, positive, negative = mine_by_likeness(distances.detach(), labels, self.margin, self.shared, chances)
        if len(anchor) == 0:
            return embedding.sum() * 0
        return (distances[anchor, positive] - distances[anchor, negative] + self.margin).relu().mean()


def draw(n: int, generator: torch.Generator) -> Chances:
    """Chances for a batch of n, from a generator on the CPU."""
    return Chances(*torch.rand(3, n, n, generator=generator, dtype=torch.float64).unbind())


@torch.no_grad()
def mine_by_likeness(
    distances: Float[Tensor, "b b"], labels: Float[Tensor, "b c"], margin: float, shared: int, chances: Chances
) -> MultiLabelTriplets:
    """Choose one positive and one negative for every anchor of the batch that has both.

    The positive is any that shares enough labels. Negatives share fewer labels with the anchor than the positive does,
    but, where there are such, more than one. Those farther than the positive, yet within the margin, go before those
    that are nearer (the study raised the share of semi-hard ones); one easy negative, of those that share the fewest
    labels of all, may be drawn in their place.

    Args:
        distances: D.
        labels: binary.
        margin: of the loss.
        shared: labels that make a positive, or all of the anchor's where it has fewer.
        chances: what decides among pictures that are equally fit; pairs of a reordered batch keep theirs.
    """
    likeness = labels @ labels.T
    others = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    enough = likeness.diagonal().clamp(max=shared)[:, None]
    positive, has_positive = _pick(others & (likeness >= enough) & (enough > 0), chances.positive)
    of_positive = (likeness.gather(1, positive), distances.gather(1, positive))
    unlike = others & (likeness < of_positive[0])
    close = unlike & (distances < of_positive[1] + margin)
    close = _where_any(close & (likeness > 1), close)
    semi_hard = _where_any(close & (distances > of_positive[1]), close)
    least = likeness.masked_fill(~unlike, torch.inf).amin(dim=1, keepdim=True)
    easy, has_easy = _pick(unlike & (likeness == least), chances.easy)
    candidates = semi_hard.scatter(1, easy, has_easy[:, None] | semi_hard.gather(1, easy))
    negative, has_negative = _pick(candidates, chances.negative)
    (anchor,) = (has_positive & has_negative).nonzero(as_tuple=True)
    return MultiLabelTriplets(anchor, positive[anchor, 0], negative[anchor, 0])


def _pick(fit: Bool[Tensor, "b b"], chances: Float[Tensor, "b b"]) -> tuple[Int64[Tensor, "b 1"], Bool[Tensor, "b"]]:
    """Of each row one column that is fit, and whether there is any; the same chance for all of them."""
    weighed = chances.to(fit.device).masked_fill(~fit, -1)
    return weighed.argmax(dim=1, keepdim=True), fit.any(dim=1)


def _where_any(preferred: Bool[Tensor, "b b"], otherwise: Bool[Tensor, "b b"]) -> Bool[Tensor, "b b"]:
    """Row by row the preferred ones, where there are any."""
    return torch.where(preferred.any(dim=1, keepdim=True), preferred, otherwise)
