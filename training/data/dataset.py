"""Pictures as network input: the bundle's own preprocessing, or a random view for training."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32
from PIL import Image, ImageFilter
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from emotion.errors import DataError, PictureError
from emotion.images import decode, read_picture_bytes, to_rgb8
from emotion.preprocess import PreprocessSpec, normalise, prepare
from training.config import AugmentConfig
from training.data.cache import PictureCache
from training.data.samples import Sample

BLUR_SIGMA_PX = (0.3, 2.5)
JPEG_QUALITY = (10, 80)


class PictureDataset(Dataset[tuple[Tensor, int]]):
    """Decoded once, kept in memory up to `cache_mb`, preprocessed at each access.

    With an AugmentConfig `data[epoch, index]` is a random view that depends on (seed, epoch, index) alone. The epoch is
    part of the key, because a worker process that outlives an epoch would not see an attribute change.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        preprocess: PreprocessSpec,
        augment: AugmentConfig | None = None,
        *,
        seed: int = 0,
        cache_mb: int = 2048,
    ) -> None:
        self.samples = samples
        self.preprocess = preprocess
        self.view = _random_view(augment, preprocess) if augment else None
        self.seed = seed
        self._cache = PictureCache(len(samples), cache_mb)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: int | tuple[int, int]) -> tuple[Float32[Tensor, "3 h w"], int]:
        """Pixels and label; the key is (epoch, index), or the index alone for epoch 0."""
        epoch, index = key if isinstance(key, tuple) else (0, key)
        picture = self._picture(index)
        if self.view is None:
            pixels = prepare(picture, self.preprocess)
        else:
            seed = np.random.SeedSequence((self.seed, epoch, index)).generate_state(1)[0]
            before = torch.random.get_rng_state()
            torch.default_generator.manual_seed(int(seed))  # torch.manual_seed would reseed the GPU too
            pixels = normalise(to_rgb8(self.view(picture)), self.preprocess)
            torch.random.set_rng_state(before)
        return torch.from_numpy(pixels), self.samples[index].label

    def _picture(self, index: int) -> Image.Image:
        kept = self._cache.get(index)
        if kept is not None:
            return kept
        picture = decode_sample(self.samples[index], self.preprocess.min_side_px)
        self._cache.put(index, picture)
        return picture


def decode_sample(sample: Sample, min_side_px: int) -> Image.Image:
    """An RGB picture, its shorter side `min_side_px` or more where the file has so many; DataError if it is broken."""
    try:
        return decode(read_picture_bytes(sample.path), min_side=min_side_px, name=str(sample.path))
    except PictureError as error:
        raise DataError(f"{error}; remove the picture from the data or replace it") from error


def _random_view(augment: AugmentConfig, preprocess: PreprocessSpec) -> v2.Transform:
    steps: list[v2.Transform] = [
        v2.RandomResizedCrop(
            preprocess.size_px,
            scale=augment.crop_scale,
            ratio=augment.crop_ratio,
            interpolation=v2.InterpolationMode.BICUBIC,
        )
    ]
    if augment.flip:
        steps.append(v2.RandomHorizontalFlip())
    if augment.jitter:
        strength = augment.jitter
        steps.append(v2.ColorJitter(brightness=strength, contrast=strength, saturation=strength))
    if augment.degrade:
        steps.append(v2.RandomApply([v2.Lambda(_blur)], augment.degrade))
        steps.append(v2.RandomApply([v2.JPEG(JPEG_QUALITY)], augment.degrade))
    return v2.Compose(steps)


def _blur(picture: Image.Image) -> Image.Image:
    """By Pillow: torchvision's blur, a convolution of tensors, takes many times as long on a CPU."""
    sigma_px = float(torch.empty(()).uniform_(*BLUR_SIGMA_PX))
    return picture.filter(ImageFilter.GaussianBlur(sigma_px))
