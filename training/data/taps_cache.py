"""What a frozen trunk gives for fixed views of every picture: then no epoch has to run it again.

The level maps are kept whole. Smaller ones, averaged over neighbours, would not do: the 1x1 convolutions after them
are trained, and a Gram matrix averages products, which the average of the maps does not determine.
"""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from emotion.console import progress
from emotion.errors import ConfigError
from emotion.network.net import EmotionNet
from emotion.network.taps import Taps
from training.data.dataset import PictureDataset
from training.data.loader import training_loader

BATCH_SIZE = 32
BYTES_PER_VALUE = 2


class CachedTaps(Dataset[tuple[Taps, int]]):
    """Taps as float16, from memory; `data[epoch, index]` is that epoch's view, and the first again after the last.

    The views are those that the pictures' own dataset has for the epochs 0, 1, ...: as long as there is one for every
    epoch, training sees what it would have seen without the cache.
    """

    def __init__(self, levels: list[Tensor], pooled: Tensor, labels: list[int]) -> None:
        self.levels = levels
        self.pooled = pooled
        self.labels = labels
        self.n_views = len(pooled) // len(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Taps, int]:
        """Level maps (c h w), pooled features (f) and label of a picture; the key is (epoch, index)."""
        epoch, index = key
        row = epoch % self.n_views * len(self.labels) + index
        return Taps([level[row] for level in self.levels], self.pooled[row]), self.labels[index]


@torch.no_grad()
def cache_taps(
    net: EmotionNet,
    data: PictureDataset,
    n_views: int,
    *,
    device: torch.device,
    autocast: bool,
    limit_gb: float,
    n_workers: int = 0,
) -> CachedTaps:
    """Run the trunk over `n_views` random views of every picture.

    Levels that the sentiment vector weighs with 0 are not kept. Raises ConfigError when the maps would take more than
    `limit_gb` (1e9 bytes), or when they hold a number that float16 cannot.
    """
    net.eval()
    rows = [(view, index) for view in range(n_views) for index in range(len(data))]
    taps = _Trunk(net, device, autocast)
    first = taps(data[rows[0]][0][None])
    _check_size([*first.levels, first.pooled], len(data), n_views, limit_gb)
    levels = [torch.empty(len(rows), *level.shape[1:], dtype=torch.float16) for level in first.levels]
    pooled = torch.empty(len(rows), *first.pooled.shape[1:], dtype=torch.float16)
    batches = [rows[start : start + BATCH_SIZE] for start in range(0, len(rows), BATCH_SIZE)]
    start = 0
    with progress("caching", len(rows), "views") as advance:
        for pixels, _ in training_loader(data, batches, n_workers, device):
            given = taps(pixels)
            end = start + len(pixels)
            for kept, part in zip([*levels, pooled], [*given.levels, given.pooled], strict=True):
                kept[start:end] = part
                if not kept[start:end].isfinite().all():
                    raise ConfigError("the trunk's maps exceed float16; train with loop.cache_views=0")
            start = end
            advance(len(pixels))
    return CachedTaps(levels, pooled, [sample.label for sample in data.samples])


def to_device(taps: Taps, device: torch.device) -> Taps:
    """Float32 on the device, laid out as the trunk gives it."""
    levels = [level.to(device, non_blocking=True).float() for level in taps.levels]
    return Taps(
        [level.contiguous(memory_format=torch.channels_last) for level in levels],
        taps.pooled.to(device, non_blocking=True).float(),
    )


class _Trunk:
    """From pixels to the taps to keep, in host memory."""

    def __init__(self, net: EmotionNet, device: torch.device, autocast: bool) -> None:
        self.net = net
        self.device = device
        self.autocast = autocast
        n_levels = len(net.backbone.levels)
        read = net.sentiment_vector is not None
        self.weights = net.spec.sentiment_vector.level_weights if read else (0.0,) * n_levels
        self.weights = self.weights or (1.0,) * n_levels

    def __call__(self, pixels: Tensor) -> Taps:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            taps = self.net.backbone(pixels.to(self.device, memory_format=torch.channels_last))
        # Of a level without weight one position is enough: its convolution has to have something to read.
        levels = [level if w else level[:, :, :1, :1] for level, w in zip(taps.levels, self.weights, strict=True)]
        return Taps([level.cpu() for level in levels], taps.pooled.cpu())


def _check_size(of_one: list[Tensor], n_pictures: int, n_views: int, limit_gb: float) -> None:
    gb_per_view = sum(part[0].numel() for part in of_one) * BYTES_PER_VALUE * n_pictures / 1e9
    if n_views * gb_per_view <= limit_gb:
        return
    fitting = int(limit_gb / gb_per_view)
    advice = f"at most {fitting} views" if fitting else "loop.cache_views=0"
    raise ConfigError(
        f"loop.cache_views={n_views}: the maps of {n_pictures} pictures take {n_views * gb_per_view:.3g} GB, more than "
        f"loop.cache_views_gb={limit_gb:g}; take {advice}, a smaller preprocess.size_px, or a weight of 0 for large "
        "levels in network.sentiment_vector.level_weights"
    )
