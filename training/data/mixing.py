"""Mixed pictures: mixup (Zhang et al., ICLR 2018) and CutMix (Yun et al., ICCV 2019).

Not torchvision's: it draws from the global generator, and it mixes a picture with its neighbour in the batch, which in
a balanced batch mostly has the same emotion.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everyone uses


class Mixed(NamedTuple):
    """A batch of which every picture is made of two."""

    pixels: Float[Tensor, "b 3 h w"]
    targets: Float[Tensor, "b c"]
    """Share of each emotion; rows sum to 1."""


def mix(
    pixels: Float[Tensor, "b 3 h w"],
    labels: Int64[Tensor, "b"],
    n_classes: int,
    rng: np.random.Generator,
    *,
    mixup: float = 0.0,
    cutmix: float = 0.0,
) -> Mixed:
    """Mix each picture with another of the batch, all by one method; where both have an alpha, each half of the time.

    Args:
        pixels: the pictures; left as they are.
        labels: their emotions.
        n_classes: emotions of the taxonomy.
        rng: decides method, partners, share and place.
        mixup: alpha of the Beta(alpha, alpha) that the share of the first picture is drawn from; 0 is never.
        cutmix: likewise, of the first picture's area. Raises ValueError where both are 0.
    """
    if not (mixup or cutmix):
        raise ValueError("mix needs an alpha above 0")
    partner = torch.from_numpy(rng.permutation(len(pixels))).to(pixels.device)
    if cutmix and (not mixup or rng.random() < 0.5):
        pixels, share = _paste(pixels, partner, rng, rng.beta(cutmix, cutmix))
    else:
        share = rng.beta(mixup, mixup)
        pixels = share * pixels + (1 - share) * pixels[partner]
    one_hot = F.one_hot(labels, n_classes).to(pixels)
    return Mixed(pixels, share * one_hot + (1 - share) * one_hot[partner])


def _paste(pixels: Tensor, partner: Tensor, rng: np.random.Generator, share: float) -> tuple[Tensor, float]:
    """Paste a box of 1 - share of the area, clipped at the border; returns the share that is left as well."""
    height, width = pixels.shape[2:]
    half_height, half_width = (round(side * (1 - share) ** 0.5 / 2) for side in (height, width))
    y, x = int(rng.integers(height)), int(rng.integers(width))
    rows = slice(max(0, y - half_height), min(height, y + half_height))
    columns = slice(max(0, x - half_width), min(width, x + half_width))
    pasted = pixels.clone()
    pasted[:, :, rows, columns] = pixels[partner][:, :, rows, columns]
    return pasted, 1 - (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
