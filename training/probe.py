"""A linear probe on frozen features, as a start for the class head and for the sentiment vector.

Why the sentiment vector needs one: from random filters its five levels weigh the same, so four fifths of every
distance come from maps that know nothing of emotion, and a few hundred pictures are too few to unlearn that. Started
from the probe, the deepest level holds the class evidence at each position and the other four start out constant:
they add nothing to any distance until training finds something worth adding (figures in docs/experiments.md).
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from emotion.console import progress
from emotion.errors import ConfigError
from emotion.network.net import EmotionNet
from emotion.network.spec import HeadInput, LevelNorm
from emotion.taxonomy import Taxonomy
from training.data.loader import single_pass_loader
from training.data.views import FixedViews

C = 1e-3
"""Inverse regularisation strength on standardised features."""
BATCH_SIZE = 32
POLARITY_FILTERS = 2
QUIET = 0.02
"""What is left of the random filters beside those that the probe fills."""
FLOOR = 0.3
"""Smallest deviation that a sentiment vector's entry is divided by, as a share of the root mean square of all."""


class Probe(NamedTuple):
    """A linear classifier on raw features; rows of absent emotions are zero, with a low bias."""

    weight: Float64[np.ndarray, "c f"]
    bias: Float64[np.ndarray, "c"]
    present: Int64[np.ndarray, "p"]


def fit_probe(
    net: EmotionNet,
    data: FixedViews,
    device: torch.device,
    reads: HeadInput = HeadInput.FEATURES,
    *,
    n_workers: int = 0,
) -> Probe:
    """Logistic regression on standardised values of un-augmented pictures, in every view that `data` gives.

    scikit-learn's C weighs a sum over rows: divided by the number of views it regularises as with one.

    Args:
        net: in whatever state it is.
        data: training pictures.
        device: where the net is.
        reads: pooled features, or what the class head sees: of a head on the embedding, or on both.
        n_workers: processes that prepare pictures; the result is the same with any number.
    """
    features, labels = _features(net, data, device, reads, n_workers)
    scaler = StandardScaler().fit(features)
    if reads is not HeadInput.FEATURES:
        # Most entries hardly vary at the start; brought to variance 1 their noise would weigh as much as the evidence.
        scaler.scale_ = np.maximum(scaler.scale_, FLOOR * np.sqrt(scaler.var_.mean()))
    model = LogisticRegression(C=C / len(data.views), max_iter=2000).fit(scaler.transform(features), labels)
    weight = model.coef_ / scaler.scale_
    bias = model.intercept_ - weight @ scaler.mean_
    if len(weight) == 1:  # scikit-learn keeps one row for two classes
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    all_weight = np.zeros((net.head.out_features, weight.shape[1]))
    all_bias = np.full(net.head.out_features, bias.min() - 2.0)
    all_weight[model.classes_], all_bias[model.classes_] = weight, bias
    return Probe(all_weight, all_bias, model.classes_)


@torch.no_grad()
def init_head(net: EmotionNet, probe: Probe) -> None:
    """Write the probe into the class head; what the head reads beside the probe's features has no say at first."""
    net.head.weight.zero_()
    net.head.weight[:, : probe.weight.shape[1]] = torch.from_numpy(probe.weight).to(net.head.weight)
    net.head.bias.copy_(torch.from_numpy(probe.bias))


@torch.no_grad()
def init_sentiment_vector(net: EmotionNet, probe: Probe, taxonomy: Taxonomy, polarity_scale: float) -> None:
    """Write the probe's evidence for each emotion and for each polarity into the deepest level's filters.

    The evidence is centred over the emotions present. The polarity filters hold plus and minus the summed evidence
    of the positive emotions, times `polarity_scale`: the larger it is, the more the first split of the embedding is
    by polarity. Raises ConfigError when the level has too few filters.
    """
    if net.sentiment_vector is None:
        raise ConfigError("network.sv_init=probe needs network.embedding=sentiment_vector")
    convs = [conv for conv in net.sentiment_vector.reduce if isinstance(conv, nn.Conv2d)]
    deepest, n_emotions = convs[-1], len(taxonomy.emotions)
    if deepest.in_channels != probe.weight.shape[1]:
        raise ConfigError('network.sv_init=probe needs network.sentiment_vector.deepest="head"')
    if n_emotions + POLARITY_FILTERS > deepest.out_channels:
        raise ConfigError(f"network.sv_init=probe needs n_filters >= {n_emotions + POLARITY_FILTERS}")
    # A level of its own norm is constant where every filter gives 1; under one norm for all, where it gives nothing.
    constant = 1.0 if net.spec.sentiment_vector.norm is LevelNorm.LEVEL else 0.0
    for conv in convs:
        conv.weight.mul_(QUIET)
        _bias(conv).fill_(0.0 if conv is deepest else constant)
    present = probe.present
    rows = np.concatenate([probe.weight, probe.bias[:, None]], axis=1)[present]
    rows -= rows.mean(axis=0)
    positive = rows[taxonomy.polarity_codes()[present] == 1].sum(axis=0) * polarity_scale
    _fill(deepest, torch.from_numpy(present), rows)
    _fill(deepest, torch.tensor([n_emotions, n_emotions + 1]), np.stack([positive, -positive]))


def _fill(conv: nn.Conv2d, filters: Tensor, rows: np.ndarray) -> None:
    values = torch.from_numpy(rows).to(conv.weight)
    conv.weight[filters] = values[:, :-1, None, None]
    _bias(conv)[filters] = values[:, -1]


def _bias(conv: nn.Conv2d) -> Tensor:
    if conv.bias is None:
        raise TypeError("the sentiment vector's convolutions have a bias")
    return conv.bias


@torch.no_grad()
def _features(
    net: EmotionNet, data: FixedViews, device: torch.device, reads: HeadInput, n_workers: int
) -> tuple[Float32[np.ndarray, "n f"], Int64[np.ndarray, "n"]]:
    """A row for each picture and view."""
    net.eval()
    rows, labels = [], []
    with progress("probing", len(data), "pictures") as advance:
        for views, batch_labels in single_pass_loader(data, BATCH_SIZE, n_workers, device):
            for pixels in views:
                taps = net.backbone(pixels.to(device))
                row = taps.pooled
                if reads is not HeadInput.FEATURES:
                    row = net.head_input(net.values(taps), taps.pooled)
                rows.append(row.float().cpu().numpy())
                labels.append(batch_labels.numpy())
            advance(len(batch_labels))
    return np.concatenate(rows), np.concatenate(labels)
