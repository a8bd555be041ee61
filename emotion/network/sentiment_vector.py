"""The sentiment vector: what the Gram matrices of five levels say about a picture's style and mood.

Source: Yang et al., AAAI-18, section "Sentiment vector"; per-level normalisation as in the journal extension.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone uses

from emotion.network.spec import Activation, LevelNorm, Projection, SentimentVectorSpec


class SentimentVector(nn.Module):
    """Five level maps to one L2-normalised vector of 5 * 136 = 680 values."""

    tril: Tensor

    def __init__(self, level_channels: Sequence[int], spec: SentimentVectorSpec) -> None:
        super().__init__()
        if len(level_channels) != spec.n_levels:
            raise ValueError(f"{spec.n_levels} levels expected, the backbone gives {len(level_channels)}")
        self.spec = spec
        self.reduce = nn.ModuleList(nn.Conv2d(channels, spec.n_filters, 1) for channels in level_channels)
        self.project: nn.Module = nn.Identity()
        if spec.projection is Projection.LINEAR:
            self.project = nn.Linear(spec.dim, spec.dim, bias=False)
            nn.init.eye_(self.project.weight)
        rows, columns = torch.tril_indices(spec.n_filters, spec.n_filters)
        self.register_buffer("tril", rows * spec.n_filters + columns, persistent=False)

    def forward(self, levels: Sequence[Float[Tensor, "b _c _h _w"]]) -> Float32[Tensor, "b d"]:
        """Concatenate the levels, weighted and projected as the spec says, and normalise the whole."""
        return F.normalize(self.values(levels), dim=1)

    def values(self, levels: Sequence[Float[Tensor, "b _c _h _w"]]) -> Float32[Tensor, "b d"]:
        """The vector before its last norm: what may be averaged over views of a picture."""
        parts = [self._level(conv(level)) for conv, level in zip(self.reduce, levels, strict=True)]
        if self.spec.level_weights:
            parts = [weight * part for weight, part in zip(self.spec.level_weights, parts, strict=True)]
        whole = torch.cat(parts, dim=1)
        if self.spec.projection is Projection.NONE:
            return whole
        with torch.autocast(device_type=whole.device.type, enabled=False):
            projected: Tensor = self.project(F.normalize(whole, dim=1))
        return projected

    def _level(self, reduced: Float[Tensor, "b n h w"]) -> Float32[Tensor, "b t"]:
        if self.spec.activation is Activation.RELU:
            reduced = F.relu(reduced, inplace=True)
        values = gram(reduced).flatten(1)[:, self.tril]
        if self.spec.signed_sqrt:
            values = values.sign() * (values.abs() + 1e-12).sqrt()
        return F.normalize(values, dim=1) if self.spec.norm is LevelNorm.LEVEL else values


def gram(maps: Float[Tensor, "b n h w"]) -> Float32[Tensor, "b n n"]:
    """Phi = F^T F / M over the M = h * w positions, in float32 even under autocast."""
    with torch.autocast(device_type=maps.device.type, enabled=False):
        flat = maps.float().flatten(2)
        return _gram(flat) / flat.shape[2]


def _gram(flat: Float32[Tensor, "b n m"]) -> Float32[Tensor, "b n n"]:
    if not flat.requires_grad:
        return flat @ flat.transpose(1, 2)
    product: Tensor = _Gram.apply(flat)
    return product


class _Gram(torch.autograd.Function):
    """The product with itself. Its gradient is one product over the positions, where autograd takes two and a sum."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor) -> Tensor:
        ctx.save_for_backward(flat)
        return flat @ flat.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (flat,), (gradient,) = ctx.saved_tensors, gradients
        result: Tensor = (gradient + gradient.transpose(1, 2)) @ flat
        return result
