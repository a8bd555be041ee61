"""Fixed views of a picture: a linear probe that sees several is less the probe of one crop."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.utils.data import Dataset

from emotion.errors import ConfigError
from emotion.preprocess import Fit, PreprocessSpec, prepare
from training.data.dataset import decode_sample
from training.data.samples import Sample

CLOSE_FRACTION = 0.7
LARGER_BY_PX = 64
N_VIEWS = 10


class View(NamedTuple):
    """One way to look at a picture."""

    preprocess: PreprocessSpec
    mirrored: bool = False


def fixed_views(base: PreprocessSpec, n_views: int, *, fixed_size: bool = False) -> list[View]:
    """The first `n_views` of: as served, the other fit, the whole picture larger, mirrored, close, wide, mirrored.

    The first view is the one that is served. The other fit is the whole picture squashed where the served view is a
    crop. The last four are the mirror images of those before that have none.

    Args:
        base: the preprocessing that is served.
        n_views: 1 to 10.
        fixed_size: whether the network takes one input size only; the larger view and its mirror image then drop out.

    Raises ConfigError when there are not so many.
    """
    other = base.model_copy(update={"fit": Fit.SQUASH if base.fit is Fit.CROP else Fit.CROP})
    larger = base.model_copy(update={"fit": Fit.SQUASH, "size_px": base.size_px + LARGER_BY_PX})
    close, wide = (base.model_copy(update={"fit": Fit.CROP, "crop_fraction": f}) for f in (CLOSE_FRACTION, 1.0))
    specs = [other, *([] if fixed_size else [larger]), close, wide]
    plain = [View(spec) for spec in specs]
    mirrored = [View(spec, mirrored=True) for spec in specs]
    n_first = 1 if fixed_size else 2
    views = [View(base), *plain[:n_first], View(base, mirrored=True), *plain[n_first:], *mirrored]
    if n_views > len(views):
        raise ConfigError(f"network.probe_views={n_views}: a network of one input size has {len(views)} views")
    return views[:n_views]


class FixedViews(Dataset[tuple[list[Tensor], int]]):
    """All views of each picture, decoded once, and its label."""

    def __init__(self, samples: Sequence[Sample], views: Sequence[View]) -> None:
        self.samples = samples
        self.views = views

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[list[Float32[Tensor, "3 _h _w"]], int]:
        """Pixels of each view, and the label."""
        sample = self.samples[index]
        picture = decode_sample(sample, max(view.preprocess.min_side_px for view in self.views))
        pixels = [prepare(picture, view.preprocess) for view in self.views]
        mirrored = [
            np.ascontiguousarray(p[..., ::-1]) if view.mirrored else p
            for p, view in zip(pixels, self.views, strict=True)
        ]
        return [torch.from_numpy(p) for p in mirrored], sample.label
