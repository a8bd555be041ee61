"""Painted textures that a descriptor can tell apart, one kind for each emotion."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image


class Texture(NamedTuple):
    """Random blocks of one size in pixels."""

    emotion: str
    width_px: int
    height_px: int


TEXTURES = (Texture("awe", 3, 3), Texture("contentment", 12, 12), Texture("fear", 3, 18), Texture("sadness", 18, 3))


def texture(kind: Texture, seed: int, side_px: int = 72) -> Image.Image:
    """A grey picture of that kind; another seed has other blocks."""
    blocks = np.random.default_rng(seed).integers(0, 256, (side_px // kind.height_px, side_px // kind.width_px))
    pixels = blocks.astype(np.uint8).repeat(kind.height_px, axis=0).repeat(kind.width_px, axis=1)
    return Image.fromarray(pixels).convert("RGB")


def write_textures(folder: Path, n_each: int) -> Path:
    """Class folders of `n_each` pictures of every kind."""
    for number, kind in enumerate(TEXTURES):
        (folder / kind.emotion).mkdir(parents=True)
        for seed in range(n_each):
            texture(kind, 1000 * number + seed).save(folder / kind.emotion / f"{seed}.png")
    return folder
