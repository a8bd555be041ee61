"""Losses that only ask which labels are equal, most of them from pytorch-metric-learning.

They say nothing of polarity by themselves; the same loss on polarity labels may be added with a weight.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from emotion.taxonomy import Taxonomy

Pairs = tuple[Tensor, Tensor, Tensor, Tensor]
"""As the library takes them: anchors and positives, anchors and negatives."""
ChoosePairs = Callable[[Tensor, Tensor, torch.Generator], Pairs]
"""Of embeddings, labels, and a generator on the CPU."""


class LabelLoss(nn.Module):
    """One loss for a set of labels: scales the embeddings and chooses the pairs that it is to look at."""

    def __init__(self, loss: nn.Module, choose: ChoosePairs | None = None, *, scale: float = 1.0) -> None:
        super().__init__()
        self.loss = loss
        self.choose = choose
        self.scale = scale

    def forward(
        self, embedding: Float[Tensor, "b d"], labels: Int64[Tensor, "b"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Loss of a batch of L2-normalised embeddings; 0, with a gradient, when there is nothing to compare."""
        if len(embedding) == 0:
            return embedding.sum()
        if self.choose is None:
            value: Tensor = self.loss(embedding * self.scale, labels)
        else:
            value = self.loss(embedding * self.scale, labels, self.choose(embedding.detach(), labels, generator))
        return value


class EmotionAndPolarity(nn.Module):
    """A loss on emotions, and with a weight the same on polarity, of the pictures whose emotion takes a side."""

    polarity: Int64[Tensor, "c"]

    def __init__(self, make: Callable[[int], LabelLoss], taxonomy: Taxonomy, polarity_weight: float = 0.0) -> None:
        """Build from `make`, which gives the loss for a number of classes."""
        super().__init__()
        self.by_emotion = make(len(taxonomy.emotions))
        self.by_polarity = make(2) if polarity_weight else None
        self.polarity_weight = polarity_weight
        self.register_buffer("polarity", torch.from_numpy(taxonomy.polarity_codes()), persistent=False)

    def forward(
        self, embedding: Float[Tensor, "b d"], labels: Int64[Tensor, "b"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Loss of a batch of L2-normalised embeddings."""
        loss: Tensor = self.by_emotion(embedding, labels, generator)
        if self.by_polarity is None:
            return loss
        side = self.polarity[labels]
        sided = side >= 0
        by_polarity: Tensor = self.by_polarity(embedding[sided], side[sided], generator)
        return loss + self.polarity_weight * by_polarity


def n_pair(temperature: float) -> LabelLoss:
    """Sohn, NIPS 2016: softmax over one picture of each emotion; the paper's embeddings are not normalised."""
    from pytorch_metric_learning.distances import DotProductSimilarity
    from pytorch_metric_learning.losses import NPairsLoss

    loss = NPairsLoss(distance=DotProductSimilarity(normalize_embeddings=False))
    return LabelLoss(loss, _one_pair_of_each, scale=temperature**-0.5)


def proxy_anchor(n_classes: int, dim: int, margin: float, alpha: float, generator: torch.Generator) -> LabelLoss:
    """Kim et al., CVPR 2020: every proxy pulls its pictures and pushes the others, the hard ones most."""
    from pytorch_metric_learning.losses import ProxyAnchorLoss

    def start(proxies: Tensor) -> None:
        nn.init.kaiming_normal_(proxies, mode="fan_out", generator=generator)

    return LabelLoss(ProxyAnchorLoss(n_classes, dim, margin=margin, alpha=alpha, weight_init_func=start))


def multi_similarity(alpha: float, beta: float, base: float, epsilon: float) -> LabelLoss:
    """Wang et al., CVPR 2019: over the pairs that mining by `epsilon` keeps, the worse ones count more."""
    from pytorch_metric_learning.losses import MultiSimilarityLoss
    from pytorch_metric_learning.miners import MultiSimilarityMiner

    miner = MultiSimilarityMiner(epsilon=epsilon)

    def hard(embedding: Tensor, labels: Tensor, _: torch.Generator) -> Pairs:
        pairs: Pairs = miner(embedding, labels)
        return pairs

    return LabelLoss(MultiSimilarityLoss(alpha=alpha, beta=beta, base=base), hard)


def sup_con(temperature: float) -> LabelLoss:
    """Khosla et al., NeurIPS 2020, eq. 2 (L_out): softmax over the batch, the mean over an anchor's positives."""
    from pytorch_metric_learning.losses import SupConLoss

    return LabelLoss(SupConLoss(temperature=temperature))


def _one_pair_of_each(_: Tensor, labels: Tensor, generator: torch.Generator) -> Pairs:
    """An anchor and a positive of every label that has two; the library would always take the first ones."""
    pairs = []
    for label in torch.unique(labels):
        rows = (labels == label).nonzero()[:, 0]
        if len(rows) > 1:
            pairs.append(rows[torch.randperm(len(rows), generator=generator)[:2].to(rows.device)])
    anchor, positive = (torch.stack(pairs) if pairs else labels.new_empty(0, 2)).unbind(dim=1)
    return anchor, positive, labels.new_empty(0), labels.new_empty(0)
