"""Which losses there are and what can be set of them; see docs/losses.md."""

from enum import StrEnum
from typing import Final, Self

from pydantic import Field, model_validator

from training.closed import Closed
from training.losses.mining import Mining


class EmbeddingLoss(StrEnum):
    """The loss on the embedding, beside the cross entropy; see docs/losses.md."""

    SENTIMENT = "sentiment"
    """Same emotion nearer than same polarity, same polarity nearer than opposite, on wheel-weighted distances."""
    ADAPTIVE = "adaptive"
    """Likewise, with wider margins for pairs that the class head confuses."""
    TRIPLET = "triplet"
    """Same emotion nearer than another."""
    HIERARCHICAL_AP = "hierarchical_ap"
    """Average precision itself, smooth, with the same polarity relevant in part."""
    CENTER = "center"
    N_PAIR = "n_pair"
    PROXY_ANCHOR = "proxy_anchor"
    MULTI_SIMILARITY = "multi_similarity"
    SUP_CON = "sup_con"
    NONE = "none"
    """Cross entropy alone; the sentiment vector learns only through the layers it shares with the class head."""

    @property
    def needs_polarity(self) -> bool:
        """Whether it has nothing to learn from emotions that take no two sides."""
        return self in (EmbeddingLoss.SENTIMENT, EmbeddingLoss.ADAPTIVE)

    @property
    def learns(self) -> bool:
        """Whether it has centres or proxies of its own, which `optim.lr_loss` is for."""
        return self in (EmbeddingLoss.CENTER, EmbeddingLoss.PROXY_ANCHOR)


class TripletConfig(Closed):
    """Settings of the triplet loss."""

    margin: float = Field(default=0.2, ge=0)
    """How much nearer, in squared distance, the same emotion has to be."""


class HierarchicalAPConfig(Closed):
    """Settings of the hierarchical average precision."""

    temperature: float = Field(default=0.01, gt=0)
    """Of the sigmoid that stands for the step in a rank, on cosines; larger is smoother and less like a rank."""
    neighbour_relevance: float = Field(default=0.5, ge=0, le=1)
    """Relevance of a neighbour on the wheel of the same polarity; nothing where the label set has no wheel."""
    polarity_relevance: float = Field(default=0.25, ge=0, le=1)
    """Relevance of the same polarity."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.neighbour_relevance < self.polarity_relevance:
            raise ValueError(
                f"loss.hierarchical_ap.neighbour_relevance={self.neighbour_relevance} is below "
                f"polarity_relevance={self.polarity_relevance}: a neighbour on the wheel is of the same polarity"
            )
        return self


class NPairConfig(Closed):
    """Settings of the N-pair loss."""

    temperature: float = Field(default=0.1, gt=0)
    """Divides the cosines, which the paper's unbounded embeddings do not need."""


class ProxyAnchorConfig(Closed):
    """Settings of the proxy anchor loss."""

    margin: float = Field(default=0.1, ge=0)
    """Of the cosine: it has to be above it at the own proxy, below its negative at all others."""
    alpha: float = Field(default=32.0, gt=0)
    """Sharpness: how much more the hard pictures count."""


class MultiSimilarityConfig(Closed):
    """Settings of the multi-similarity loss."""

    alpha: float = Field(default=2.0, gt=0)
    """Sharpness among positives."""
    beta: float = Field(default=50.0, gt=0)
    """Sharpness among negatives."""
    base: float = Field(default=0.5, ge=-1, le=1)
    """The cosine below which positives and above which negatives cost."""
    epsilon: float = Field(default=0.1, ge=0)
    """How far a pair may be from violating the order and still be mined."""


class SupConConfig(Closed):
    """Settings of the supervised contrastive loss."""

    temperature: float = Field(default=0.1, gt=0)
    """Divides the cosines."""


class LossConfig(Closed):
    """E = (1 - w) E_cls + w E_emb; with w = 1 the class head is a probe, fitted when the training is over."""

    embedding: EmbeddingLoss = EmbeddingLoss.SENTIMENT
    w: float = Field(default=0.5, ge=0, le=1)
    """Weight of the loss on the embedding; the cross entropy has the rest."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of a label that the cross entropy spreads over all emotions."""
    alpha1: float = Field(default=0.2, ge=0)
    """Margin between same emotion and same polarity."""
    alpha2: float = Field(default=0.1, ge=0)
    """Margin between same and opposite polarity."""
    mining: Mining = Mining.SEMI_HARD
    polarity_weight: float = Field(default=0.0, ge=0)
    """Adds the same loss on polarity labels; for the losses that know no polarity by themselves."""
    triplet: TripletConfig = TripletConfig()
    hierarchical_ap: HierarchicalAPConfig = HierarchicalAPConfig()
    n_pair: NPairConfig = NPairConfig()
    proxy_anchor: ProxyAnchorConfig = ProxyAnchorConfig()
    multi_similarity: MultiSimilarityConfig = MultiSimilarityConfig()
    sup_con: SupConConfig = SupConConfig()

    @model_validator(mode="after")
    def _check_every_setting_counts(self) -> Self:
        """Refuse what the chosen loss does not read, unless it has its default: a written config names everything."""
        for name, losses in _READ_BY.items():
            if self.embedding not in losses and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"loss.{name} does nothing with loss.embedding={self.embedding}; "
                    f"it belongs to {', '.join(sorted(losses))}"
                )
        return self


_SENTIMENTS: Final = frozenset(loss for loss in EmbeddingLoss if loss.needs_polarity)
_ON_LABELS: Final = frozenset(
    {EmbeddingLoss.N_PAIR, EmbeddingLoss.MULTI_SIMILARITY, EmbeddingLoss.SUP_CON}
) | frozenset(loss for loss in EmbeddingLoss if loss.learns)
_READ_BY: Final[dict[str, frozenset[EmbeddingLoss]]] = {
    "alpha1": _SENTIMENTS,
    "alpha2": _SENTIMENTS,
    "mining": _SENTIMENTS | {EmbeddingLoss.TRIPLET},
    "polarity_weight": _ON_LABELS,
    "triplet": frozenset({EmbeddingLoss.TRIPLET}),
    "hierarchical_ap": frozenset({EmbeddingLoss.HIERARCHICAL_AP}),
    "n_pair": frozenset({EmbeddingLoss.N_PAIR}),
    "proxy_anchor": frozenset({EmbeddingLoss.PROXY_ANCHOR}),
    "multi_similarity": frozenset({EmbeddingLoss.MULTI_SIMILARITY}),
    "sup_con": frozenset({EmbeddingLoss.SUP_CON}),
}
"""Which losses read a setting of LossConfig; the others are read by all."""
