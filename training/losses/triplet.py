"""The triplet loss: same emotion nearer than another, by a margin.

Source: Schroff et al., FaceNet, CVPR 2015; the mean over the triplets used in place of the sum.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from training.losses.distances import squared_distances
from training.losses.mining import Mining, mine_triplets


class TripletLoss(nn.Module):
    """Mean of [D(a,p) - D(a,n) + margin]_+ over mined triplets."""

    def __init__(self, *, margin: float = 0.2, mining: Mining = Mining.SEMI_HARD) -> None:
        super().__init__()
        self.margin = margin
        self.mining = mining

    def forward(
        self, embedding: Float[Tensor, "b d"], labels: Int64[Tensor, "b"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Loss of a batch of L2-normalised embeddings; 0, with a gradient, when no triplet is valid."""
        distances = squared_distances(embedding)
        anchor, positive, negative = mine_triplets(distances.detach(), labels, self.margin, self.mining, generator)
        if len(anchor) == 0:
            return embedding.sum() * 0
        return (distances[anchor, positive] - distances[anchor, negative] + self.margin).relu().mean()
