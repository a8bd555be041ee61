"""The loss that a configuration names."""

from functools import partial

import torch

from emotion.taxonomy import Taxonomy
from training.loss_settings import EmbeddingLoss, LossConfig
from training.losses.adaptive import AdaptiveSentimentLoss
from training.losses.center import CenterLoss
from training.losses.hierarchical_ap import HierarchicalAPLoss
from training.losses.labels import (
    EmotionAndPolarity,
    LabelLoss,
    multi_similarity,
    n_pair,
    proxy_anchor,
    sup_con,
)
from training.losses.multi_task import EmbeddingTerm, MultiTaskLoss
from training.losses.sentiment import SentimentLoss
from training.losses.triplet import TripletLoss


def build_loss(config: LossConfig, taxonomy: Taxonomy, dim: int, seed: int) -> MultiTaskLoss:
    """Cross entropy and the chosen loss on embeddings of `dim` values.

    Proxies are drawn from `seed` alone: the same on every process, and no other random number moves.
    """
    term = embedding_term(config, taxonomy, dim, torch.Generator().manual_seed(seed))
    return MultiTaskLoss(term, w=config.w, label_smoothing=config.label_smoothing)


def embedding_term(
    config: LossConfig, taxonomy: Taxonomy, dim: int, generator: torch.Generator
) -> EmbeddingTerm | None:
    """The loss on the embedding alone; None where there is none."""
    match config.embedding:
        case EmbeddingLoss.SENTIMENT:
            return SentimentLoss(taxonomy, alpha1=config.alpha1, alpha2=config.alpha2, mining=config.mining)
        case EmbeddingLoss.ADAPTIVE:
            return AdaptiveSentimentLoss(taxonomy, alpha1=config.alpha1, alpha2=config.alpha2, mining=config.mining)
        case EmbeddingLoss.TRIPLET:
            return TripletLoss(margin=config.triplet.margin, mining=config.mining)
        case EmbeddingLoss.HIERARCHICAL_AP:
            return HierarchicalAPLoss(taxonomy, **config.hierarchical_ap.model_dump())
        case EmbeddingLoss.NONE:
            return None
        case _:
            make = partial(_label_loss, config, dim, generator)
            return EmotionAndPolarity(make, taxonomy, config.polarity_weight)


def _label_loss(config: LossConfig, dim: int, generator: torch.Generator, n_classes: int) -> LabelLoss:
    match config.embedding:
        case EmbeddingLoss.CENTER:
            return LabelLoss(CenterLoss(n_classes, dim))
        case EmbeddingLoss.N_PAIR:
            return n_pair(**config.n_pair.model_dump())
        case EmbeddingLoss.PROXY_ANCHOR:
            return proxy_anchor(n_classes, dim, generator=generator, **config.proxy_anchor.model_dump())
        case EmbeddingLoss.MULTI_SIMILARITY:
            return multi_similarity(**config.multi_similarity.model_dump())
        case EmbeddingLoss.SUP_CON:
            return sup_con(**config.sup_con.model_dump())
        case _:
            raise AssertionError(config.embedding)
