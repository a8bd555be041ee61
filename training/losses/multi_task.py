"""The total: E = (1 - w) E_cls + w E_emb."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone uses

from emotion.network.net import Outputs
from training.losses.adaptive import AdaptiveSentimentLoss
from training.losses.hierarchical_ap import HierarchicalAPLoss
from training.losses.labels import EmotionAndPolarity
from training.losses.sentiment import SentimentLoss
from training.losses.triplet import TripletLoss

EmbeddingTerm = SentimentLoss | AdaptiveSentimentLoss | TripletLoss | EmotionAndPolarity | HierarchicalAPLoss


class LossParts(NamedTuple):
    """The total and what it is made of, unweighted."""

    total: Float[Tensor, ""]
    classification: Float[Tensor, ""]
    embedding: Float[Tensor, ""]


class MixedLogits(NamedTuple):
    """What the class head says of mixed pictures, and what it should."""

    logits: Float[Tensor, "b c"]
    targets: Float[Tensor, "b c"]
    """Share of each emotion."""


class MultiTaskLoss(nn.Module):
    """Cross entropy on the logits and a loss on the embedding; `w` is the latter's weight.

    Without a loss on the embedding the total is the cross entropy, whatever `w`.
    """

    def __init__(self, embedding: EmbeddingTerm | None, *, w: float, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.embedding = embedding
        self.w = 0.0 if embedding is None else w
        self.label_smoothing = label_smoothing

    def forward(
        self,
        outputs: Outputs,
        labels: Int64[Tensor, "b"],
        generator: torch.Generator,
        mixed: MixedLogits | None = None,
    ) -> LossParts:
        """Both parts in float32, whatever the autocast.

        Where mixed pictures are given the cross entropy is theirs. The embedding's loss stays with the pictures as
        they are: it asks which pictures share an emotion, and a mixture has no emotion to share.
        """
        logits, targets = (outputs.logits, labels) if mixed is None else mixed
        e_cls = F.cross_entropy(logits.float(), targets, label_smoothing=self.label_smoothing)
        e_emb = self.on_embedding(outputs.embedding.float(), outputs.logits.float(), labels, generator)
        return LossParts((1 - self.w) * e_cls + self.w * e_emb, e_cls, e_emb)

    def on_embedding(
        self,
        embedding: Float[Tensor, "b d"],
        logits: Float[Tensor, "b c"],
        labels: Int64[Tensor, "b"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """E_emb alone, in the precision that it is given; 0, with a gradient, where there is no such loss."""
        match self.embedding:
            case None:
                value = embedding.sum() * 0
            case AdaptiveSentimentLoss():
                value = self.embedding(embedding, logits, labels, generator)
            case HierarchicalAPLoss():
                value = self.embedding(embedding, labels)
            case _:
                value = self.embedding(embedding, labels, generator)
        return value
