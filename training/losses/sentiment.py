"""The sentiment loss: same emotion nearer than same polarity, same polarity nearer than opposite.

Source: Yang et al., AAAI-18, eq. 3 and 4. Equation 4 sums while equation 6 averages: we take the mean over the
tuples used, so that the weight against the cross entropy does not depend on the batch size.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from emotion.taxonomy import Taxonomy
from training.losses.distances import squared_distances, weighted_distances
from training.losses.mining import NONE, Mining, mine


class SentimentLoss(nn.Module):
    """E_sml = mean of [D*(a,p) - D*(a,r) + alpha1]_+ + [D*(a,r) - D*(a,n) + alpha2]_+ over mined tuples."""

    dis: Float[Tensor, "c c"]
    polarity: Int64[Tensor, "c"]

    def __init__(
        self, taxonomy: Taxonomy, *, alpha1: float = 0.2, alpha2: float = 0.1, mining: Mining = Mining.SEMI_HARD
    ) -> None:
        super().__init__()
        self.margins = (alpha1, alpha2)
        self.mining = mining
        self.register_buffer("dis", torch.from_numpy(taxonomy.dis_matrix()), persistent=False)
        self.register_buffer("polarity", torch.from_numpy(taxonomy.polarity_codes()), persistent=False)

    def forward(
        self, embedding: Float[Tensor, "b d"], labels: Int64[Tensor, "b"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Loss of a batch of L2-normalised embeddings; 0, with a gradient, when no tuple is valid."""
        distances = squared_distances(embedding)
        tuples = mine(distances.detach(), labels, self.polarity[labels], self.margins, self.mining, generator)
        if len(tuples.anchor) == 0:
            return embedding.sum() * 0
        weighted = weighted_distances(distances, self.dis[labels[:, None], labels[None, :]])
        d_ap = weighted[tuples.anchor, tuples.positive]
        d_ar = weighted[tuples.anchor, tuples.related]
        d_an = weighted[tuples.anchor, tuples.negative]
        has_negative = (tuples.negative != NONE).to(d_an)
        first = (d_ap - d_ar + self.margins[0]).relu()
        second = (d_ar - d_an + self.margins[1]).relu() * has_negative
        return (first + second).mean()
