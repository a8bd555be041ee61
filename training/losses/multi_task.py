"""The total: E = (1 - w) E_cls + w E_sml."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone uses

from emotion.network.net import Outputs
from training.losses.sentiment import SentimentLoss


class LossParts(NamedTuple):
    """The total and what it is made of, unweighted."""

    total: Float[Tensor, ""]
    classification: Float[Tensor, ""]
    sentiment: Float[Tensor, ""]


class MultiTaskLoss(nn.Module):
    """Cross entropy on the logits and the sentiment loss on the embedding; `w` is the latter's weight."""

    def __init__(self, sentiment: SentimentLoss, *, w: float, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.sentiment = sentiment
        self.w = w
        self.label_smoothing = label_smoothing

    def forward(self, outputs: Outputs, labels: Int64[Tensor, "b"], generator: torch.Generator) -> LossParts:
        """Both parts in float32, whatever the autocast."""
        e_cls = F.cross_entropy(outputs.logits.float(), labels, label_smoothing=self.label_smoothing)
        e_sml = self.sentiment(outputs.embedding.float(), labels, generator)
        return LossParts((1 - self.w) * e_cls + self.w * e_sml, e_cls, e_sml)
