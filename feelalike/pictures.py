"""Whatever holds a picture, as the bytes to send."""

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from PIL import Image

    PictureSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image
else:  # Pillow need not be installed
    PictureSource = object
"""A path, encoded bytes, a file that is open for reading bytes, or a picture of Pillow."""

_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


def read_picture(source: PictureSource) -> bytes:
    """The encoded picture.

    One of Pillow's is turned upright and sent as PNG, without loss but larger: the file it came from, where there is
    one, is the better thing to give.

    Raises:
        OSError: the file cannot be read.
        TypeError: it is nothing that holds a picture.
    """
    if isinstance(source, (str, os.PathLike)):
        return Path(source).read_bytes()
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if _is_pillow(source):
        return _encoded(source)
    content = source.read() if hasattr(source, "read") else None
    if not isinstance(content, bytes):
        opened = "a file opened for text, not for bytes" if isinstance(content, str) else type(source).__name__
        raise TypeError(f"a picture is a path, bytes, a file of bytes or a picture of Pillow, not {opened}")
    return content


def _is_pillow(source: object) -> bool:
    """Whoever has such a picture has imported Pillow, so we need not."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(source, pillow.Image)


def _encoded(picture: Any) -> bytes:
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(picture)
    if upright.mode not in _PNG_MODES:
        upright = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    buffer = io.BytesIO()
    upright.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
