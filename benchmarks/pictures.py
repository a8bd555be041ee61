"""Pictures of a stated size to measure with: painted by the demo's painter, or photos of a folder."""

from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from demo.paint import JPEG_QUALITY, paint_picture
from emotion.collection import read_collection
from emotion.errors import DataError
from emotion.images import decode, read_picture_bytes
from emotion.taxonomy import MIKELS

Size = tuple[int, int]

SMALL: Final[Size] = (640, 480)
LARGE: Final[Size] = (4000, 3000)
"""12 megapixels."""
_GRAIN: Final = 5.0
"""Standard deviation, in levels, of the noise that an enlarged picture gets: a camera's JPEG has it at every size, and
without it there would be little to decode."""


def jpegs(n: int, size: Size, data: Path | None = None) -> list[bytes]:
    """Different JPEGs of exactly this size; the same ones every time.

    Raises:
        DataError: the folder has no pictures.
    """
    sources = None if data is None else _photos(data)
    return [_encoded(_painting(i) if sources is None else _photo(sources[i % len(sources)]), size, i) for i in range(n)]


def write_jpegs(folder: Path, n: int, size: Size, data: Path | None = None) -> list[Path]:
    """Likewise, as files of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:05d}.jpg" for i in range(n)]
    for path, picture in zip(paths, jpegs(n, size, data), strict=True):
        path.write_bytes(picture)
    return paths


def described(n: int, size: Size, data: Path | None) -> str:
    """What `jpegs` gives, for the page."""
    kind = "painted" if data is None else "photos, scaled to it"
    return f"{n} JPEGs of {size[0]}x{size[1]} pixels ({kind}), quality {JPEG_QUALITY}"


def _painting(i: int) -> Image.Image:
    return paint_picture(MIKELS.names[i % len(MIKELS.names)], i // len(MIKELS.names), seed=0)


def _photos(folder: Path) -> list[Path]:
    found = [entry.path for entry in read_collection(folder)]
    if not found:
        raise DataError(f"{folder} holds no pictures")
    return found


def _photo(path: Path) -> Image.Image:
    return decode(read_picture_bytes(path))


def _encoded(picture: Image.Image, size: Size, seed: int) -> bytes:
    enlarged = picture.width < size[0] or picture.height < size[1]
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    if enlarged:
        picture = _grainy(picture, seed)
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _grainy(picture: Image.Image, seed: int) -> Image.Image:
    levels = np.asarray(picture, dtype=np.float32)
    grain = np.random.default_rng(seed).normal(0, _GRAIN, levels.shape[:2]).astype(np.float32)
    return Image.fromarray(np.clip(levels + grain[..., None], 0, 255).astype(np.uint8))
