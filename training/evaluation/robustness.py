"""How much of what a model says survives what happens to pictures on their way through the web."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from emotion.console import progress
from emotion.errors import DataError
from emotion.images import decode, read_picture_bytes
from emotion.predictor import Predictions, Predictor
from emotion.preprocess import prepare
from training.data.samples import Sample
from training.evaluation.retrieval import rank

N_NEIGHBOURS: Final = 10
MIN_PICTURES: Final = 2
BATCH: Final = 16


class Change(NamedTuple):
    """Something that happens to a picture."""

    name: str
    apply: Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Robustness:
    """What a change does; fractions in 0..1."""

    change: str
    accuracy: float
    same_emotion: float
    """Pictures that are named as before."""
    moved: float
    """Mean distance between a picture's embeddings before and after, over that between two pictures."""
    kept_neighbours: float
    """Of the ten nearest other pictures, those that still are when the changed picture asks."""


def _crop(share: float) -> Callable[[Image.Image], Image.Image]:
    def apply(picture: Image.Image) -> Image.Image:
        x, y = (side * (1 - share) / 2 for side in picture.size)
        return picture.crop((round(x), round(y), round(picture.width - x), round(picture.height - y)))

    return apply


def _jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    def apply(picture: Image.Image) -> Image.Image:
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer).convert("RGB")

    return apply


def _brightness(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: ImageEnhance.Brightness(picture).enhance(factor)


def _blur(share: float) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: picture.filter(ImageFilter.GaussianBlur(share * min(picture.size)))


def _shorter_side(pixels: int) -> Callable[[Image.Image], Image.Image]:
    def apply(picture: Image.Image) -> Image.Image:
        scale = pixels / min(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        return picture.resize(size, Image.Resampling.BICUBIC)

    return apply


UNCHANGED: Final = Change("none", lambda picture: picture)
CHANGES: Final = (
    Change("mirrored", ImageOps.mirror),
    Change("cropped to 80 % of each side", _crop(0.8)),
    Change("cropped to 60 % of each side", _crop(0.6)),
    Change("JPEG, quality 30", _jpeg(30)),
    Change("JPEG, quality 10", _jpeg(10)),
    Change("brightness x 0.6", _brightness(0.6)),
    Change("brightness x 1.5", _brightness(1.5)),
    Change("grey", lambda picture: picture.convert("L").convert("RGB")),
    Change("blurred, radius 1 % of the shorter side", _blur(0.01)),
    Change("reduced to 112 pixels", _shorter_side(112)),
)


def measure_robustness(
    predictor: Predictor, samples: Sequence[Sample], changes: Sequence[Change] = CHANGES
) -> list[Robustness]:
    """Judge a model on pictures as they are (the first row) and after each change.

    Args:
        predictor: the model.
        samples: labelled pictures that it was not trained on, at least two.
        changes: applied to the decoded picture.

    Raises DataError for a single picture: there is no other to measure distances by.
    """
    if len(samples) < MIN_PICTURES:
        raise DataError(
            f"robustness takes at least {MIN_PICTURES} pictures to hold distances against; {len(samples)} left"
        )
    ordered = sorted(samples, key=lambda sample: sample.digest)
    labels = np.array([sample.label for sample in ordered])
    with progress("robustness", (len(changes) + 1) * len(ordered), "pictures") as advance:
        before = _predict(predictor, ordered, UNCHANGED, advance)
        rows = [_compare(UNCHANGED.name, before, before, labels)]
        rows += [_compare(c.name, before, _predict(predictor, ordered, c, advance), labels) for c in changes]
    return rows


def as_table(rows: Sequence[Robustness]) -> str:
    """For people, in Markdown."""
    columns = ("change", "accuracy", "named as before", "embedding moved", "of 10 neighbours kept")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in rows:
        lines.append(
            f"| {row.change} | {row.accuracy:.3f} | {row.same_emotion:.3f} | {row.moved:.3f} | "
            f"{row.kept_neighbours:.3f} |"
        )
    return "\n".join(lines)


def as_json(rows: Sequence[Robustness]) -> list[dict[str, Any]]:
    """One object a change, rounded."""
    return [{k: v if isinstance(v, str) else round(v, 5) for k, v in asdict(row).items()} for row in rows]


def _predict(
    predictor: Predictor, samples: Sequence[Sample], change: Change, advance: Callable[[int], None]
) -> Predictions:
    spec = predictor.bundle.manifest.preprocess
    parts = []
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        pictures = [decode(read_picture_bytes(s.path), min_side=spec.min_side_px, name=str(s.path)) for s in batch]
        parts.append(predictor.infer(np.stack([prepare(change.apply(picture), spec) for picture in pictures])))
        advance(len(batch))
    return Predictions(
        np.concatenate([part.embeddings for part in parts]), np.concatenate([part.probabilities for part in parts])
    )


def _compare(name: str, before: Predictions, after: Predictions, labels: Int64[np.ndarray, "n"]) -> Robustness:
    named, was = after.probabilities.argmax(axis=1), before.probabilities.argmax(axis=1)
    moved = np.linalg.norm(after.embeddings - before.embeddings, axis=1).mean()
    return Robustness(
        change=name,
        accuracy=float((named == labels).mean()),
        same_emotion=float((named == was).mean()),
        moved=float(moved / _mean_distance(before.embeddings)),
        kept_neighbours=_kept_neighbours(before.embeddings, after.embeddings),
    )


def _kept_neighbours(before: Float32[np.ndarray, "n d"], after: Float32[np.ndarray, "n d"]) -> float:
    """The gallery holds the pictures as they were; a picture is no neighbour of itself."""
    own = np.arange(len(before))
    then, now = (rank(queries, before, own)[:, :N_NEIGHBOURS] for queries in (before, after))
    return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(then, now, strict=True)]))


def _mean_distance(embeddings: Float32[np.ndarray, "n d"]) -> float:
    squared = np.maximum(2 - 2 * embeddings @ embeddings.T, 0)
    n = len(embeddings)
    return float(np.sqrt(squared)[~np.eye(n, dtype=bool)].mean())
