"""Fields and paint: what a picture is computed from before anything is drawn on it.

A field is one number per pixel, paint one colour per pixel; both are float32 and mostly in 0..1.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32
from PIL import Image, ImageFilter

Field = Float32[np.ndarray, "h w"]
Paint = Float32[np.ndarray, "h w 3"]
Colour = Float32[np.ndarray, "3"]

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
RAMP_STEPS = 512


def fractal_noise(
    rng: np.random.Generator,
    size: tuple[int, int],
    cells: float,
    octaves: int = 4,
    gain: float = 0.5,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Field:
    """Fractal value noise that fills 0..1: random grids, each finer and fainter, resized to the picture.

    Args:
        rng: where the grids come from.
        size: width and height in pixels.
        cells: cells of the coarsest grid along the shorter side.
        octaves: how many grids.
        gain: how much fainter each is than the one before.
        stretch: factors on the cells in x and y; (1, 0.2) gives vertical streaks.
    """
    width, height = size
    unit = min(size)
    total = np.zeros((height, width), dtype=np.float32)
    for octave in range(octaves):
        nx = max(1.0, cells * stretch[0] * 2**octave * width / unit)
        ny = max(1.0, cells * stretch[1] * 2**octave * height / unit)
        grid = rng.random((int(ny) + 4, int(nx) + 4), dtype=np.float32)
        box = (1.0, 1.0, 1.0 + nx, 1.0 + ny)
        layer = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC, box=box)
        total += np.float32(gain**octave) * np.asarray(layer)
    return normalised(total)


def cells(rng: np.random.Generator, size: tuple[int, int], n: int) -> tuple[Field, Field, Field]:
    """Worley's cellular texture of n random points.

    Returns:
        The distance to the nearest point and to the border between the two nearest, in shorter sides, and a random
        number per cell. Computed on every second pixel: the cost is n passes over the picture.
    """
    width, height = size[0] // 2, size[1] // 2
    unit = np.float32(min(width, height))
    x = np.arange(width, dtype=np.float32)[None, :] / unit
    y = np.arange(height, dtype=np.float32)[:, None] / unit
    nearest = np.full((height, width), 9.0, dtype=np.float32)
    second = nearest.copy()
    value = np.zeros_like(nearest)
    for px, py, number in rng.random((n, 3), dtype=np.float32):
        distance = (x - px * width / unit) ** 2 + (y - py * height / unit) ** 2
        closer = distance < nearest
        np.minimum(second, np.where(closer, nearest, distance), out=second)
        np.copyto(nearest, distance, where=closer)
        np.copyto(value, number, where=closer)
    nearest, second = np.sqrt(nearest), np.sqrt(second)
    smooth = Image.Resampling.BILINEAR
    return resized(nearest, size, smooth), resized(second - nearest, size, smooth), resized(value, size, smooth)


def normalised(field: Field) -> Field:
    """The field stretched to fill 0..1."""
    low, high = field.min(), field.max()
    return np.asarray((field - low) / max(high - low, 1e-6), dtype=np.float32)


def resized(field: Field, size: tuple[int, int], how: Image.Resampling = Image.Resampling.BICUBIC) -> Field:
    """The field at another size (width, height)."""
    return np.asarray(Image.fromarray(field).resize(size, how), dtype=np.float32)


def smoothstep(low: float, high: float, field: Field) -> Field:
    """0 below `low`, 1 above `high`, smooth between; with low > high it falls."""
    t = np.clip((field - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def blurred(field: Field, radius_px: float) -> Field:
    """The field under a Gaussian of this radius; values outside 0..1 are cut off."""
    image = Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius_px)), dtype=np.float32) / np.float32(255)


def ramp(field: Field, stops: Sequence[Colour]) -> Paint:
    """Colours along evenly spaced stops, for a field in 0..1."""
    where = np.linspace(0, len(stops) - 1, RAMP_STEPS)
    channels = [np.interp(where, range(len(stops)), [stop[c] for stop in stops]) for c in range(3)]
    table = np.stack(channels, axis=1).astype(np.float32)
    return np.asarray(table[(np.clip(field, 0, 1) * (RAMP_STEPS - 1)).astype(np.int32)])


def over(paint: Paint, colour: Colour | Paint, alpha: Field | float) -> Paint:
    """A colour, or other paint, laid over with this opacity."""
    opacity = np.asarray(alpha, dtype=np.float32)[..., None]
    return np.asarray(paint + (colour - paint) * opacity, dtype=np.float32)


def lit(paint: Paint, colour: Colour, amount: Field) -> Paint:
    """Light added (screen): never more than white."""
    return np.asarray(1 - (1 - paint) * (1 - colour * np.clip(amount, 0, 1)[..., None]), dtype=np.float32)


def shaded(paint: Paint, factor: Field) -> Paint:
    """Paint multiplied by a field."""
    return np.asarray(paint * factor[..., None], dtype=np.float32)


def luma(paint: Paint) -> Field:
    """Brightness as the eye weighs the channels."""
    return np.asarray(paint @ LUMA, dtype=np.float32)


def chroma(paint: Paint) -> Field:
    """The largest minus the smallest channel."""
    red, green, blue = paint[..., 0], paint[..., 1], paint[..., 2]  # far quicker than max(axis=2)
    most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return np.asarray(most - least, dtype=np.float32)
