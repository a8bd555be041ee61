"""The adaptive sentiment similarity loss: pictures that the class head confuses are held further apart.

Source: Yao et al., Adaptive Deep Metric Learning for Affective Image Retrieval and Classification, IEEE TMM 23 (2021).
The formula is our reading of what its authors published. The mean over the tuples used, as in the sentiment loss.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from emotion.taxonomy import Taxonomy
from training.losses.distances import squared_distances
from training.losses.mining import NONE, Mining, mine


class AdaptiveSentimentLoss(nn.Module):
    """Mean of [D(a,p) - D(a,r) + w_ar alpha1]_+ + [D(a,r) - D(a,n) + w_an alpha2]_+ over mined tuples.

    Tuples are mined within the margins as they are after the weighting, so that the chosen ones are those that count.
    """

    polarity: Int64[Tensor, "c"]

    def __init__(
        self, taxonomy: Taxonomy, *, alpha1: float = 0.2, alpha2: float = 0.1, mining: Mining = Mining.SEMI_HARD
    ) -> None:
        super().__init__()
        self.alphas = (alpha1, alpha2)
        self.mining = mining
        self.register_buffer("polarity", torch.from_numpy(taxonomy.polarity_codes()), persistent=False)

    def forward(
        self,
        embedding: Float[Tensor, "b d"],
        logits: Float[Tensor, "b c"],
        labels: Int64[Tensor, "b"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Loss of a batch of L2-normalised embeddings; no gradient flows to the logits.

        0, with a gradient, when no tuple is valid.
        """
        distances = squared_distances(embedding)
        weights = confusion_weights(logits.detach(), labels).to(distances)
        margins = (weights * self.alphas[0], weights * self.alphas[1])
        tuples = mine(distances.detach(), labels, self.polarity[labels], margins, self.mining, generator)
        if len(tuples.anchor) == 0:
            return embedding.sum() * 0
        ar, an = (tuples.anchor, tuples.related), (tuples.anchor, tuples.negative)
        has_negative = (tuples.negative != NONE).to(distances)
        first = (distances[tuples.anchor, tuples.positive] - distances[ar] + margins[0][ar]).relu()
        second = (distances[ar] - distances[an] + margins[1][an]).relu() * has_negative
        return (first + second).mean()


def confusion_weights(logits: Float[Tensor, "b c"], labels: Int64[Tensor, "b"]) -> Float[Tensor, "b b"]:
    """w_ij = exp(P(y_j | x_i)) exp(P(y_i | x_j)), between 1 and e^2."""
    of_the_other = logits.softmax(dim=1)[:, labels]
    return (of_the_other + of_the_other.T).exp()
