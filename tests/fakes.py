"""Small real objects for tests: a bundle of eight dimensions, a runtime that needs no network, painted pictures."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from emotion.bundle import ONNX_NAME, WEIGHTS_NAME, Bundle, Provenance, write_bundle
from emotion.familiarity import FamiliarityScale
from emotion.network.spec import NetworkSpec, SentimentVectorSpec
from emotion.predictor import Predictor
from emotion.preprocess import PreprocessSpec
from emotion.runtime import Device, Precision, RawOutputs
from emotion.taxonomy import MIKELS

DIM = 8
ROUGHNESS = tuple(np.linspace(0, 0.12, 101).round(4).tolist())
"""Distances that the fake runtime gives smooth pictures."""


class FakeRuntime:
    """Embeds a picture as the means of its quarters in two channels; the logits are that vector, sharpened.

    The rougher a picture, the less familiar: its distance is the mean step from a pixel to the one beside it.
    """

    name = "fake"
    device = Device.CPU
    precision = Precision.FP32
    failure: str | None = None

    def __init__(self) -> None:
        self.batch_sizes: list[int] = []

    def run(self, pixels: np.ndarray) -> RawOutputs:
        self.batch_sizes.append(len(pixels))
        b, _, h, w = pixels.shape
        quarters = pixels[:, :2].reshape(b, 2, 2, h // 2, 2, w // 2).mean(axis=(3, 5)).reshape(b, DIM)
        embeddings = (quarters + 1e-3).astype(np.float32)
        roughness = np.abs(np.diff(pixels, axis=3)).mean(axis=(1, 2, 3))
        return RawOutputs(embeddings, (4 * embeddings).astype(np.float32), roughness.astype(np.float32))


def tiny_bundle(path: Path, salt: str = "", **changes: Any) -> Bundle:
    """A verified bundle whose files are placeholders; another `salt` gives another model_id."""

    def write_files(folder: Path) -> None:
        (folder / WEIGHTS_NAME).write_bytes(b"weights" + salt.encode())
        (folder / ONNX_NAME).write_bytes(b"graph" + salt.encode())

    fields: dict[str, Any] = {
        "name": "tiny",
        "taxonomy": MIKELS,
        "preprocess": PreprocessSpec(size_px=16),
        "network": NetworkSpec(sentiment_vector=SentimentVectorSpec(n_filters=1, n_levels=DIM), familiarity_rank=4),
        "familiarity": FamiliarityScale(quantiles=ROUGHNESS),
        "provenance": Provenance(
            created=datetime(2026, 1, 1, tzinfo=UTC),
            version="0.0.0",
            config={"seed": 0},
            data="painted",
            n_training_pictures=0,
        ),
        "terms": "For tests only.",
    }
    return write_bundle(path, write_files, **(fields | changes))


def tiny_predictor(folder: Path, salt: str = "") -> Predictor:
    """A Predictor over a tiny bundle and the fake runtime."""
    return Predictor(tiny_bundle(folder / f"bundle{salt}", salt), FakeRuntime())


def picture(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A smooth random picture; another seed looks different."""
    rng = np.random.default_rng(seed)
    blobs = rng.integers(0, 256, size=(3, 3, 3), dtype=np.uint8)
    return Image.fromarray(blobs).resize(size, Image.Resampling.BICUBIC)


def encoded(seed: int, fmt: str = "PNG", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    """An encoded picture."""
    buffer = BytesIO()
    picture(seed, size).save(buffer, fmt, **options)
    return buffer.getvalue()


def noise(seed: int = 0) -> bytes:
    """A picture of noise, as no photo is."""
    buffer = BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_gallery(folder: Path, n: int, labels: tuple[str, ...] = ("awe", "fear")) -> list[Path]:
    """A class-folder gallery of n different pictures, labels in turn."""
    paths = []
    for seed in range(n):
        path = folder / labels[seed % len(labels)] / f"{seed:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(seed))
        paths.append(path)
    return paths
