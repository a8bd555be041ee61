"""Pictures as network input: the bundle's own preprocessing, or a random view for training."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from emotion.errors import DataError, PictureError
from emotion.images import decode, read_picture_bytes, to_rgb8
from emotion.preprocess import PreprocessSpec, normalise, prepare
from training.config import AugmentConfig
from training.data.samples import Sample


class PictureDataset(Dataset[tuple[Tensor, int]]):
    """Decoded once, kept in memory up to `cache_mb`, preprocessed at each access.

    With an AugmentConfig every access gives a random view that depends on (seed, epoch, index) alone, whatever
    the number of workers.
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
        self.epoch = 0
        self._cache: dict[int, Image.Image] = {}
        self._cache_left = cache_mb * 2**20

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Float32[Tensor, "3 h w"], int]:
        picture = self._picture(index)
        if self.view is None:
            pixels = prepare(picture, self.preprocess)
        else:
            seed = np.random.SeedSequence((self.seed, self.epoch, index)).generate_state(1)[0]
            before = torch.random.get_rng_state()
            torch.default_generator.manual_seed(int(seed))  # torch.manual_seed would reseed the GPU too
            pixels = normalise(to_rgb8(self.view(picture)), self.preprocess)
            torch.random.set_rng_state(before)
        return torch.from_numpy(pixels), self.samples[index].label

    def _picture(self, index: int) -> Image.Image:
        if index in self._cache:
            return self._cache[index]
        path = self.samples[index].path
        try:
            picture = decode(read_picture_bytes(path), min_side=self.preprocess.min_side_px, name=str(path))
        except PictureError as error:
            raise DataError(f"{error}; remove the picture from the data or replace it") from error
        size = 3 * picture.width * picture.height
        if size <= self._cache_left:
            self._cache_left -= size
            self._cache[index] = picture
        return picture


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
    return v2.Compose(steps)
