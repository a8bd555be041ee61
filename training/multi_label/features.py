"""Pooled features of a frozen backbone, computed once and kept in parts, so that an interrupt costs one part."""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float32

from emotion.console import progress
from emotion.errors import DataError, PictureError
from emotion.images import decode, read_picture_bytes
from emotion.network.backbone import build_backbone
from emotion.network.imagenet import default_preprocess, load_imagenet_weights
from emotion.network.spec import LITE0, NetworkSpec
from emotion.network.taps import Backbone
from emotion.preprocess import PreprocessSpec, prepare
from index.durable import write_atomic
from training.data.multi_label import MultiLabelSample

PART: Final = 512
"""Pictures a file holds."""
BATCH_SIZE: Final = 32


@dataclass(frozen=True)
class FrozenBackbone:
    """A backbone with ImageNet weights that nothing will change."""

    name: str
    net: Backbone
    preprocess: PreprocessSpec
    digest: str
    """Of the name and the weights."""

    @classmethod
    def open(cls, name: str = LITE0, weights: Path | None = None) -> "FrozenBackbone":
        """Raises ConfigError for an unknown name, or where no weights are at hand or they do not fit."""
        net = build_backbone(NetworkSpec(backbone=name)).eval()
        load_imagenet_weights(net, name, weights)
        content = hashlib.sha256(name.encode())
        for key, tensor in net.state_dict().items():
            content.update(key.encode() + tensor.numpy().tobytes())
        return cls(name, net, default_preprocess(name), content.hexdigest())

    @torch.inference_mode()
    def features(self, paths: Sequence[Path], device: torch.device) -> Float32[np.ndarray, "n f"]:
        """Of pictures prepared as they are served; raises DataError for one that cannot be read any more."""
        pixels = torch.from_numpy(np.stack([self._pixels(path) for path in paths]))
        pooled = self.net.to(device)(pixels.to(device, memory_format=torch.channels_last)).pooled
        return np.asarray(pooled.float().cpu().numpy())

    def _pixels(self, path: Path) -> Float32[np.ndarray, "3 h w"]:
        try:
            picture = decode(read_picture_bytes(path), min_side=self.preprocess.min_side_px, name=str(path))
        except PictureError as error:
            raise DataError(f"{error}; remove the picture from the data or replace it") from error
        return prepare(picture, self.preprocess)


def cached_features(
    backbone: FrozenBackbone, samples: Sequence[MultiLabelSample], folder: Path, device: torch.device
) -> Float32[np.ndarray, "n f"]:
    """Features of all pictures, in their order; what `folder` has of them is not computed again.

    A part is named after the backbone, the preprocessing and the contents of its pictures, so that none is taken for
    another.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = [samples[start : start + PART] for start in range(0, len(samples), PART)]
    rows = []
    with progress("features", len(samples), "pictures") as advance:
        for part in parts:
            file = folder / f"{_name(backbone, part)}.npy"
            kept = _read(file, len(part))
            if kept is None:
                batches = [part[start : start + BATCH_SIZE] for start in range(0, len(part), BATCH_SIZE)]
                found = []
                for batch in batches:
                    found.append(backbone.features([sample.path for sample in batch], device))
                    advance(len(batch))
                kept = np.concatenate(found)
                _write(file, kept)
            else:
                advance(len(part))
            rows.append(kept)
    return np.concatenate(rows)


def _name(backbone: FrozenBackbone, part: Sequence[MultiLabelSample]) -> str:
    preprocess = backbone.preprocess.model_dump(mode="json")
    content = [backbone.digest, preprocess, [sample.digest for sample in part]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _read(file: Path, n: int) -> Float32[np.ndarray, "n f"] | None:
    """A part, or None where it is not there or damaged."""
    try:
        kept = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    return kept if kept.ndim == 2 and len(kept) == n and np.isfinite(kept).all() else None


def _write(file: Path, rows: Float32[np.ndarray, "n f"]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, rows)
    write_atomic(file, buffer.getvalue())
