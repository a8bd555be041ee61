"""Bytes or a path in, an upright RGB picture out.

Limits are checked before the pixels are unpacked: bytes first, then the size that the header states. JPEGs larger
than needed are decoded reduced (libjpeg scaling); training, indexing and serving all come through here, because
reduced decoding shifts pixels by about two levels and the three must agree.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict, Field

from emotion.errors import PictureError, PictureFault
from emotion.structure import excess

FORMATS = ("JPEG", "PNG", "WEBP")

# Pillow warns at half of its own limit and raises above it; ours are checked from the same header and are stricter.
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_DECODE_FAILURES = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, NotImplementedError)

_ORIENTATION = 0x0112
_FIRST_ON_ITS_SIDE = 5
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureLimits(BaseModel):
    """What a picture may cost before it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: int = Field(default=20 * 2**20, gt=0)
    max_pixels: int = Field(default=60_000_000, gt=0)


DEFAULT_LIMITS = PictureLimits()


def read_picture_bytes(path: Path, limits: PictureLimits = DEFAULT_LIMITS) -> bytes:
    """The file's bytes; raises PictureError when it cannot be read or is too large."""
    try:
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise _too_many_bytes(str(path), size, limits)
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise PictureError(PictureFault.UNREADABLE, f"cannot read {path}: {reason}") from error


def stated_size(path: Path) -> tuple[int, int]:
    """Width and height that a file's header states, in pixels, before any turn; raises PictureError without one."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            return picture.size
    except (*_BOMBS, *_DECODE_FAILURES) as error:
        raise PictureError(PictureFault.UNREADABLE, f"{path} states no size: {error}") from error


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height as people see the picture, from its header alone; raises PictureError without one."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            return (height, width) if _orientation(picture) >= _FIRST_ON_ITS_SIDE else (width, height)
    except (*_BOMBS, *_DECODE_FAILURES) as error:
        raise PictureError(PictureFault.UNREADABLE, f"{path} states no size: {error}") from error


def decode(
    data: bytes, *, min_side: int | None = None, limits: PictureLimits = DEFAULT_LIMITS, name: str = "picture"
) -> Image.Image:
    """Decode an encoded JPEG, PNG or WebP picture.

    Args:
        data: the encoded picture.
        min_side: the shorter side that is still wanted, in pixels; a JPEG may come back reduced, never below it.
        limits: bytes and pixels above which the picture is refused.
        name: how messages call the picture.

    Returns:
        An upright 8-bit RGB picture; transparency lies on white, an animation gives its first frame.

    Raises:
        PictureError: with the reason in `.fault`.
    """
    if not data:
        raise PictureError(PictureFault.EMPTY, f"{name} is empty (0 bytes)")
    if len(data) > limits.max_bytes:
        raise _too_many_bytes(name, len(data), limits)
    if too_much := excess(data):
        raise PictureError(PictureFault.UNDECODABLE, f"{name} has {too_much}, which no photo has; save it anew")
    with _open(data, name) as picture:
        width, height = picture.size
        if width * height > limits.max_pixels:
            raise _too_many_pixels(name, f"{width} x {height}", limits)
        try:
            if min_side is not None and picture.format in ("JPEG", "MPO"):
                _draft(picture, min_side)
            # All bytes at once, which copies none of them: by default Pillow hands its decoders 64 KB at a time.
            picture.decodermaxblock = len(data)
            return _upright_rgb(picture)
        except _BOMBS as error:
            raise _too_many_pixels(name, f"{width} x {height}", limits) from error
        except _DECODE_FAILURES as error:
            raise PictureError(
                PictureFault.UNDECODABLE,
                f"{name} begins like a {picture.format} but cannot be decoded: {error}",
            ) from error


def to_rgb8(picture: Image.Image) -> np.ndarray:
    """The picture's pixels, UInt8 "h w 3"."""
    return np.asarray(picture, dtype=np.uint8)


def _open(data: bytes, name: str) -> ImageFile.ImageFile:
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        message = f"{name} is not a JPEG, PNG or WebP picture"
        raise PictureError(PictureFault.UNSUPPORTED_FORMAT, message) from error
    except _BOMBS as error:
        raise PictureError(PictureFault.TOO_MANY_PIXELS, f"{name} states too many pixels: {error}") from error
    except _DECODE_FAILURES as error:
        raise PictureError(PictureFault.UNDECODABLE, f"{name} has a damaged header: {error}") from error


def _draft(picture: ImageFile.ImageFile, min_side: int) -> None:
    width, height = picture.size
    scale = min_side / min(width, height)
    if scale < 1:
        picture.draft("RGB", (max(1, round(width * scale)), max(1, round(height * scale))))


def _upright_rgb(picture: Image.Image) -> Image.Image:
    picture.load()
    upright = _turn_upright(picture)
    if upright.mode.startswith("I;16") or upright.mode == "I":
        return _scale_16_bit(upright)
    if upright.has_transparency_data:
        return _on_white(upright)
    return upright.convert("RGB")


def _on_white(picture: Image.Image) -> Image.Image:
    """Without its transparency; a large picture is copied as seldom as can be."""
    rgba = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba)
    return white


def _turn_upright(picture: Image.Image) -> Image.Image:
    """Apply the EXIF orientation."""
    turn = _TURNS.get(_orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def _orientation(picture: Image.Image) -> int:
    """1 is upright, and so is a picture whose EXIF data cannot be read: they say nothing about the pixels."""
    try:
        found = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # any field may be malformed, and Pillow's parser raises what it happens to stumble over
        return 1
    return found if found in _TURNS else 1


def _scale_16_bit(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits to RGB; Pillow's own conversion clips everything above 255 to white."""
    grey = np.asarray(picture).astype(np.float32) / 257.0
    return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8)).convert("RGB")


def _too_many_bytes(name: str, size: int, limits: PictureLimits) -> PictureError:
    message = f"{name} has {size} bytes; the limit is {limits.max_bytes}"
    return PictureError(PictureFault.TOO_MANY_BYTES, message)


def _too_many_pixels(name: str, size: str, limits: PictureLimits) -> PictureError:
    message = f"{name} is {size} pixels; the limit is {limits.max_pixels} in all"
    return PictureError(PictureFault.TOO_MANY_PIXELS, message)
