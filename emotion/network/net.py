"""The multi-task network: one pass gives the sentiment vector and the class logits."""

from typing import NamedTuple

from jaxtyping import Float, Float32
from torch import Tensor, nn

from emotion.network.backbone import build_backbone
from emotion.network.sentiment_vector import SentimentVector
from emotion.network.spec import NetworkSpec


class Outputs(NamedTuple):
    """Embedding and logits of a batch."""

    embedding: Float32[Tensor, "b d"]
    """L2-normalised sentiment vector."""
    logits: Float[Tensor, "b c"]


class EmotionNet(nn.Module):
    """Backbone, sentiment vector on its levels, FC class head on its pooled features."""

    def __init__(self, spec: NetworkSpec, n_classes: int) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = build_backbone(spec)
        self.sentiment_vector = SentimentVector(self.backbone.level_channels, spec.sentiment_vector)
        self.dropout = nn.Dropout(spec.dropout)
        self.head = nn.Linear(self.backbone.n_features, n_classes)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Outputs:
        """Embed and classify normalised pictures."""
        taps = self.backbone(x)
        return Outputs(self.sentiment_vector(taps.levels), self.head(self.dropout(taps.pooled)))
