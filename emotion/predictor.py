"""Predictor: pictures -> embedding + probabilities. The only inference path.

Training's evaluation, the index build and the service all come through here, so that the same picture gets the
same numbers everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Bool

from emotion.allocator import keep_freed_blocks
from emotion.arrays import Embeddings, PixelBatch, Pixels, ProbabilityRows, Shares
from emotion.bundle import Bundle, load_bundle
from emotion.images import DEFAULT_LIMITS, PictureLimits, decode, read_picture_bytes
from emotion.preprocess import prepare
from emotion.runtime import N_STREAMS, Device, Precision, Runtime, open_runtime
from emotion.taxonomy import Taxonomy


@dataclass(frozen=True)
class Predictions:
    """What the model says of a batch."""

    embeddings: Embeddings
    """L2-normalised, float32."""
    probabilities: ProbabilityRows
    """Columns in the taxonomy's order. Rows sum to 1; of a multi-label bundle each value stands by itself."""
    familiarity: Shares | None = None
    """Share of ordinary pictures that are at least as far from the training pictures; None from a bundle without."""
    unfamiliar: Bool[np.ndarray, "b"] | None = None
    """Whether the familiarity is below the bundle's threshold."""

    def __len__(self) -> int:
        return len(self.embeddings)


class Predictor:
    """A bundle and the runtime it runs on.

    `thresholds` tells a multi-label bundle: the probability from which each emotion counts, else None.
    """

    def __init__(self, bundle: Bundle, runtime: Runtime, limits: PictureLimits = DEFAULT_LIMITS) -> None:
        self.bundle = bundle
        self.runtime = runtime
        self.limits = limits
        self.thresholds = bundle.thresholds

    @classmethod
    def open(
        cls,
        path: Path,
        device: Device = Device.AUTO,
        precision: Precision = Precision.FP32,
        *,
        limits: PictureLimits = DEFAULT_LIMITS,
        n_threads: int | None = None,
        n_streams: int = N_STREAMS,
    ) -> Self:
        """Load a bundle and start its runtime; raises BundleError or RuntimeUnavailableError."""
        keep_freed_blocks()
        bundle = load_bundle(path)
        return cls(bundle, open_runtime(bundle, device, precision, n_threads=n_threads, n_streams=n_streams), limits)

    @property
    def model_id(self) -> str:
        """Identity of the numbers this predictor gives, up to rounding in bf16; an int8 graph has its own."""
        return self.bundle.int8_model_id if self.precision is Precision.INT8 else self.bundle.model_id

    @property
    def dim(self) -> int:
        """Size of the embedding."""
        return self.bundle.dim

    @property
    def precision(self) -> Precision:
        """Arithmetic of the network."""
        return self.runtime.precision

    @property
    def taxonomy(self) -> Taxonomy:
        """The label set, in the order of the probabilities."""
        return self.bundle.manifest.taxonomy

    def prepare(self, source: bytes | Path, name: str = "picture") -> Pixels:
        """Decode and preprocess one picture; free of shared state, so a pool may run it. Raises PictureError."""
        if isinstance(source, Path):
            name, source = str(source), read_picture_bytes(source, self.limits)
        spec = self.bundle.manifest.preprocess
        return prepare(decode(source, min_side=spec.min_side_px, limits=self.limits, name=name), spec)

    def infer(self, pixels: PixelBatch) -> Predictions:
        """Embed and classify prepared pictures."""
        raw = self.runtime.run(pixels)
        norms = np.linalg.norm(raw.embeddings, axis=1, keepdims=True)
        embeddings = raw.embeddings / np.maximum(norms, np.finfo(np.float32).tiny)
        logits = raw.logits / np.float32(self.bundle.manifest.temperature)
        probabilities = softmax(logits) if self.thresholds is None else sigmoid(logits)
        scale = self.bundle.manifest.familiarity
        if scale is None or raw.unfamiliarities is None:
            return Predictions(embeddings, probabilities)
        familiarity = scale.familiarity(raw.unfamiliarities)
        return Predictions(embeddings, probabilities, familiarity, scale.is_unfamiliar(familiarity))

    def predict(self, sources: Sequence[bytes | Path]) -> Predictions:
        """Embed and classify a few encoded pictures."""
        return self.infer(np.stack([self.prepare(source) for source in sources]))


def softmax(logits: ProbabilityRows) -> ProbabilityRows:
    """Row-wise softmax, shifted so that it cannot overflow."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), dtype=np.float32)


def sigmoid(logits: ProbabilityRows) -> ProbabilityRows:
    """1 / (1 + exp(-x)) of each value, by the hyperbolic tangent, which cannot overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), dtype=np.float32)
