"""Small pictures inside the page: square JPEG crops as data URIs."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from emotion.errors import PictureError
from emotion.images import decode, read_picture_bytes

LARGE_PX, SMALL_PX = 160, 64
_QUALITY = {LARGE_PX: 78, SMALL_PX: 65}


class Thumbnails:
    """Data URIs by path and size, each picture encoded once; None stands for a picture that cannot be read."""

    def __init__(self) -> None:
        self._made: dict[tuple[Path, int], str | None] = {}

    def large(self, path: Path) -> str | None:
        """For the panels."""
        return self._uri(path, LARGE_PX)

    def small(self, path: Path) -> str | None:
        """For the map."""
        return self._uri(path, SMALL_PX)

    def _uri(self, path: Path, side_px: int) -> str | None:
        key = (path, side_px)
        if key not in self._made:
            self._made[key] = _encode(path, side_px)
        return self._made[key]


def _encode(path: Path, side_px: int) -> str | None:
    try:
        picture = decode(read_picture_bytes(path), min_side=side_px, name=str(path))
    except PictureError:
        return None
    buffer = BytesIO()
    square = ImageOps.fit(picture, (side_px, side_px), Image.Resampling.LANCZOS)
    square.save(buffer, "JPEG", quality=_QUALITY[side_px], optimize=True)
    return "data:image/jpeg;base64," + b64encode(buffer.getvalue()).decode("ascii")
