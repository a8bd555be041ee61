"""The multi-task network: one pass gives the embedding, the class logits and how unfamiliar a picture is."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone uses

from emotion.network.backbone import build_backbone
from emotion.network.familiarity import Familiarity
from emotion.network.fc_embedding import FcEmbedding
from emotion.network.sentiment_vector import SentimentVector
from emotion.network.spec import EmbeddingKind, HeadInput, NetworkSpec
from emotion.network.taps import Taps


class Outputs(NamedTuple):
    """What the network gives for a batch."""

    embedding: Float32[Tensor, "b d"]
    """L2-normalised."""
    logits: Float[Tensor, "b c"]
    unfamiliarity: Float32[Tensor, "b"] | None = None
    """Distance to the training pictures; None until it has been fitted, so in all of training."""

    def present(self) -> list[Tensor]:
        """All outputs but one that is None; in order, so that they make an Outputs again."""
        return [output for output in self if output is not None]


class EmotionNet(nn.Module):
    """Backbone, embedding, and FC class head on the pooled features or what the spec says.

    The embedding is the sentiment vector on the backbone's levels, or `fc` on its pooled features; the other is None.
    """

    def __init__(self, spec: NetworkSpec, n_classes: int) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = build_backbone(spec)
        levels, is_fc = self.backbone.level_channels, spec.embedding is EmbeddingKind.FC
        self.sentiment_vector = None if is_fc else SentimentVector(levels, spec.sentiment_vector)
        self.fc = FcEmbedding(self.backbone.n_features, spec.fc) if is_fc else None
        self.dropout = nn.Dropout(spec.dropout)
        self.head = nn.Linear(_head_width(spec, self.backbone.n_features), n_classes)
        rank = spec.familiarity_rank
        self.familiarity = Familiarity(self.backbone.n_features, rank) if rank else None

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Outputs:
        """Embed and classify normalised pictures."""
        return self.read(self.backbone(self.views(x)))

    def views(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "_v 3 h w"]:
        """What the backbone is to see: the pictures and, where the outputs are averaged, their mirror images."""
        return torch.cat([x, x.flip(3)]) if self._averages else x

    def read(self, taps: Taps) -> Outputs:
        """The outputs from what the backbone gave for `views`."""
        values = self.values(taps)
        logits = self.head(self.dropout(self.head_input(values, taps.pooled)))
        unfamiliarity = self.unfamiliarity(taps)
        if self._averages:
            values, logits = _mean_of_halves(values), _mean_of_halves(logits)
            unfamiliarity = None if unfamiliarity is None else _mean_of_halves(unfamiliarity)
        return Outputs(F.normalize(values, dim=1), logits, unfamiliarity)

    def values(self, taps: Taps) -> Float32[Tensor, "b d"]:
        """The embedding before its last norm: what may be averaged over views of a picture."""
        if self.sentiment_vector is not None:
            return self.sentiment_vector.values(taps.levels)
        values: Tensor = self.get_submodule("fc")(taps.pooled)
        return values

    def embedding_parameters(self) -> Iterator[nn.Parameter]:
        """The weights of the embedding alone."""
        for part in (self.sentiment_vector, self.fc):
            if part is not None:
                yield from part.parameters()

    def head_input(self, values: Float32[Tensor, "b d"], pooled: Float[Tensor, "b f"]) -> Float[Tensor, "b _i"]:
        """What the class head reads of the embedding's values and the pooled features.

        The embedding is scaled to the length sqrt(d), so that its entries are of about the features' size.
        """
        if self.spec.head_input is HeadInput.FEATURES:
            return pooled
        vector = F.normalize(values, dim=1) * values.shape[1] ** 0.5
        return vector if self.spec.head_input is HeadInput.EMBEDDING else torch.cat([pooled, vector], dim=1)

    @property
    def _averages(self) -> bool:
        return self.spec.flip_average and not self.training

    def unfamiliarity(self, taps: Taps) -> Float32[Tensor, "b"] | None:
        """Distance to the training pictures, where the network measures it."""
        return None if self.familiarity is None else self.familiarity(taps.pooled)


def _head_width(spec: NetworkSpec, n_features: int) -> int:
    match spec.head_input:
        case HeadInput.FEATURES:
            return n_features
        case HeadInput.EMBEDDING:
            return spec.dim
        case HeadInput.BOTH:
            return n_features + spec.dim


def _mean_of_halves(rows: Float[Tensor, "_v *_d"]) -> Float[Tensor, "_b *_d"]:
    return rows.reshape(2, -1, *rows.shape[1:]).mean(dim=0)
