"""A gallery of abstract pictures, painted from a seed: the demo's gallery and the tests' data.

Every picture has random numbers of its own, drawn from (seed, emotion, number), so that it does not depend on how many
others are painted, nor in which order. With the same libraries its bytes are the same, too.
"""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from demo.easel import Easel
from demo.fields import Field, Paint, chroma, luma
from demo.paintings import amusement, anger, awe, contentment, disgust, excitement, fear, sadness
from demo.palettes import MOODS, Mood
from emotion.errors import DataError
from emotion.taxonomy import MIKELS

Composition = Callable[[Easel], Paint]
Announce = Callable[[int], None]

DEFAULT_COUNT = 320
SIZES = ((480, 360), (480, 360), (360, 480), (420, 420))
JPEG_QUALITY = 88
GRAIN = 0.018
MEASURED_EVERY = 3
STYLE = 1
"""Part of every picture's mark: raise it when pictures change, and galleries painted before are painted anew."""

COMPOSITIONS: dict[str, Sequence[Composition]] = {
    "amusement": amusement.COMPOSITIONS,
    "anger": anger.COMPOSITIONS,
    "awe": awe.COMPOSITIONS,
    "contentment": contentment.COMPOSITIONS,
    "disgust": disgust.COMPOSITIONS,
    "excitement": excitement.COMPOSITIONS,
    "fear": fear.COMPOSITIONS,
    "sadness": sadness.COMPOSITIONS,
}


def paint_picture(emotion: str, number: int, seed: int) -> Image.Image:
    """Paint one picture; successive numbers take an emotion's compositions in turn."""
    rng = np.random.default_rng([seed, MIKELS.index(emotion), number])
    mood = MOODS[emotion]
    size = SIZES[rng.integers(len(SIZES))]
    easel = Easel(rng, size, mood.palettes[rng.integers(len(mood.palettes))])
    compositions = COMPOSITIONS[emotion]
    paint = compositions[number % len(compositions)](easel)
    return _varnished(easel, paint[:, ::-1] if easel.chance(0.5) else paint, mood)


def encode_picture(emotion: str, number: int, seed: int) -> bytes:
    """Paint one picture as a JPEG that carries its mark: what it is and which seed it is from."""
    buffer = BytesIO()
    picture = paint_picture(emotion, number, seed)
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, comment=_mark(emotion, number, seed))
    return buffer.getvalue()


def paint_gallery(folder: Path, n: int = DEFAULT_COUNT, seed: int = 0, on_progress: Announce | None = None) -> int:
    """Paint n pictures, spread over the eight emotions, as class folders: <emotion>/<number>.jpg.

    Pictures that are there already from the same seed are kept, so an interrupted run goes on where it stopped;
    painted ones beyond n are removed.

    Args:
        folder: made if it is not there.
        n: how many pictures the folder holds in the end.
        seed: another seed paints other pictures.
        on_progress: called with 1 after each picture, painted or kept.

    Returns:
        How many were painted now.

    Raises:
        DataError: a file of a picture's name is there that was not painted by this program.
    """
    wanted = dict(_plan(folder, n))
    painted = 0
    for path, (emotion, number) in wanted.items():
        if _read_mark(path) != _mark(emotion, number, seed):
            _write(path, encode_picture(emotion, number, seed))
            painted += 1
        if on_progress is not None:
            on_progress(1)
    for emotion in MIKELS.names:
        for path in sorted((folder / emotion).glob("*.jpg")):
            if path not in wanted and _is_ours(path):
                path.unlink()
    return painted


def _plan(folder: Path, n: int) -> Iterator[tuple[Path, tuple[str, int]]]:
    for i in range(n):
        number, emotion = i // len(MIKELS.names), MIKELS.names[i % len(MIKELS.names)]
        yield folder / emotion / f"{number:03d}.jpg", (emotion, number)


def _write(path: Path, data: bytes) -> None:
    """In one rename: an interrupted run leaves no half picture."""
    if path.exists() and not _is_ours(path):
        raise DataError(f"{path} was not painted by this program; name another folder for the painted gallery")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(path)


_MARK = b"painted by feelalike"


def _mark(emotion: str, number: int, seed: int) -> bytes:
    return _MARK + f": {emotion} {number}, seed {seed}, style {STYLE}".encode()


def _read_mark(path: Path) -> bytes:
    try:
        with Image.open(path, formats=("JPEG",)) as picture:
            comment = picture.info.get("comment", b"")
    except OSError:
        return b""
    return bytes(comment)


def _is_ours(path: Path) -> bool:
    return _read_mark(path).startswith(_MARK)


def _varnished(easel: Easel, paint: Paint, mood: Mood) -> Image.Image:
    """What every picture gets in the end: its mood's tone, relief, a darker rim, grain."""
    paint = _toned(np.clip(paint, 0, 1), mood)
    shade = 1 + mood.relief * _relief(luma(paint)) - mood.vignette * _rim(easel)
    paint = _toned(np.clip(paint * shade[..., None], 0, 1), mood)
    grain = easel.rng.normal(0, GRAIN, paint.shape[:2]).astype(np.float32)
    pixels = np.rint(255 * np.clip(paint + grain[..., None], 0, 1))
    return Image.fromarray(pixels.astype(np.uint8))


def _toned(paint: Paint, mood: Mood) -> Paint:
    """Bring mean brightness and mean chroma into the mood's ranges, if they lie outside."""
    for _ in range(2):  # each changes the other a little
        mean = float(luma(paint[::MEASURED_EVERY, ::MEASURED_EVERY]).mean())
        target = float(np.clip(mean, *mood.brightness))
        if mean != target:
            paint = paint ** np.float32(np.clip(np.log(target) / np.log(mean), 0.4, 2.5))
        mean = float(chroma(paint[::MEASURED_EVERY, ::MEASURED_EVERY]).mean())
        target = float(np.clip(mean, *mood.chroma))
        if mean != target:
            grey = luma(paint)[..., None]
            paint = np.clip(grey + (paint - grey) * np.float32(np.clip(target / mean, 0.3, 1.8)), 0, 1)
    return paint


def _relief(height: Field) -> Field:
    """How the paint's thickness catches a light from the upper left."""
    slope = np.zeros_like(height)
    slope[1:, 1:] = height[1:, 1:] - height[:-1, :-1]
    return np.asarray(np.clip(slope, -0.3, 0.3))


def _rim(easel: Easel) -> Field:
    across = (easel.x / np.float32(easel.right) - 0.5) ** 2 + (easel.y / np.float32(easel.bottom) - 0.5) ** 2
    return np.asarray(np.clip(2.2 * across - 0.15, 0, 1))
