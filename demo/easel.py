"""An easel: one picture's size, palette and random numbers, and the brushes to paint it with.

Lengths are in shorter sides of the picture, so that a composition looks the same in every format: x runs from 0 to
`right`, y from 0 at the top to `bottom`, and the shorter of the two is 1.
"""

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from demo.fields import Colour, Field, Paint, fractal_noise, ramp
from demo.palettes import Palette

OVERSAMPLING = 2

Points = Float[np.ndarray, "n 2"]


class Sheet:
    """Shapes drawn at twice the size and reduced, which smooths their edges."""

    def __init__(self, image: Image.Image, unit_px: float) -> None:
        self._image = image
        self._draw = ImageDraw.Draw(image, "RGBA" if image.mode == "RGB" else None)
        self._unit = unit_px * OVERSAMPLING

    def disc(self, x: float, y: float, radius: float, ink: Colour | float = 1.0, alpha: float = 1.0) -> None:
        """A filled circle."""
        self._draw.ellipse(self._box(x, y, radius), fill=self._fill(ink, alpha))

    def ring(
        self, x: float, y: float, radius: float, width: float, ink: Colour | float = 1.0, alpha: float = 1.0
    ) -> None:
        """A circle's line."""
        self._draw.ellipse(self._box(x, y, radius), outline=self._fill(ink, alpha), width=self._px(width))

    def slice(
        self, x: float, y: float, radius: float, angles: tuple[float, float], ink: Colour | float, alpha: float = 1.0
    ) -> None:
        """A pie slice between two angles in radians."""
        start, end = np.degrees(angles)
        self._draw.pieslice(self._box(x, y, radius), float(start), float(end), fill=self._fill(ink, alpha))

    def polygon(self, points: Points, ink: Colour | float = 1.0, alpha: float = 1.0) -> None:
        """A filled polygon."""
        self._draw.polygon(self._flat(points), fill=self._fill(ink, alpha))

    def line(self, points: Points, width: float, ink: Colour | float = 1.0, alpha: float = 1.0) -> None:
        """A line of even width."""
        self._draw.line(self._flat(points), fill=self._fill(ink, alpha), width=self._px(width), joint="curve")

    def ribbon(
        self, points: Points, widths: Float[np.ndarray, "n"], ink: Colour | float = 1.0, alpha: float = 1.0
    ) -> None:
        """A brush stroke: a line whose width changes along it."""
        self.polygon(outlines(points[None], widths[None])[0], ink, alpha)

    def paint(self) -> Paint:
        """What was drawn, at the picture's size, as colours."""
        return np.asarray(self._image.reduce(OVERSAMPLING), dtype=np.float32) / np.float32(255)

    def _box(self, x: float, y: float, radius: float) -> tuple[float, float, float, float]:
        unit = self._unit
        return (x - radius) * unit, (y - radius) * unit, (x + radius) * unit, (y + radius) * unit

    def _px(self, width: float) -> int:
        return max(1, round(width * self._unit))

    def _flat(self, points: Points) -> list[float]:
        flat: list[float] = (points * self._unit).ravel().tolist()
        return flat

    def _fill(self, ink: Colour | float, alpha: float) -> tuple[int, ...] | int:
        if isinstance(ink, float):
            return round(255 * ink * alpha)
        red, green, blue = (int(value) for value in np.clip(ink * 255, 0, 255))
        return red, green, blue, round(255 * alpha)


class Stencil(Sheet):
    """A sheet in one channel: shapes with ink 0..1 become a mask."""

    def mask(self) -> Field:
        """What was drawn, at the picture's size, 0..1."""
        return self.paint()


class Easel:
    """One picture in the making."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int], palette: Palette) -> None:
        self.rng = rng
        self.size = size
        self.palette = palette
        self.unit_px = float(min(size))
        self.right, self.bottom = size[0] / self.unit_px, size[1] / self.unit_px
        columns = np.arange(size[0], dtype=np.float32)[None, :] / np.float32(self.unit_px)
        rows = np.arange(size[1], dtype=np.float32)[:, None] / np.float32(self.unit_px)
        self.x, self.y = np.broadcast_arrays(columns, rows)

    def between(self, low: float, high: float) -> float:
        """A random number."""
        return float(self.rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """A random whole number, both ends included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        """True this often."""
        return bool(self.rng.random() < probability)

    def spot(self, margin: float = 0.0) -> tuple[float, float]:
        """A random place; a negative margin reaches beyond the edges."""
        return self.between(margin, self.right - margin), self.between(margin, self.bottom - margin)

    def accent(self, *, first: int = 0) -> Colour:
        """A random accent, the palette's first ones left out if asked."""
        accents = self.palette.accent[first:]
        return accents[self.whole(0, len(accents) - 1)]

    def noise(
        self, cells: float = 3.0, octaves: int = 4, gain: float = 0.5, stretch: tuple[float, float] = (1.0, 1.0)
    ) -> Field:
        """Fractal noise of the picture's size, 0..1."""
        return fractal_noise(self.rng, self.size, cells, octaves, gain, stretch)

    def distance(self, x: float, y: float) -> Field:
        """How far every pixel is from a place."""
        return np.hypot(self.x - np.float32(x), self.y - np.float32(y))

    def angle(self, x: float, y: float) -> Field:
        """Direction from a place to every pixel, in radians."""
        return np.arctan2(self.y - np.float32(y), self.x - np.float32(x))

    def ground(self, field: Field) -> Paint:
        """The palette's ramp along a field in 0..1."""
        return ramp(field, self.palette.ground)

    def flat(self, colour: Colour) -> Paint:
        """One colour everywhere."""
        return np.broadcast_to(colour, (self.size[1], self.size[0], 3)).astype(np.float32)

    def sheet(self, paint: Paint) -> Sheet:
        """A sheet that already carries this paint."""
        small = Image.fromarray((np.clip(paint, 0, 1) * 255).astype(np.uint8))
        return Sheet(small.resize(self._drawn_size, Image.Resampling.NEAREST), self.unit_px)

    def stencil(self) -> Stencil:
        """An empty stencil."""
        return Stencil(Image.new("L", self._drawn_size), self.unit_px)

    def strokes(self, under: Paint, angle: Field, n: int, length: float, width: float, jitter: float = 0.05) -> Paint:
        """The paint painted again in n short strokes that follow a field of angles and take their colour from it."""
        columns, rows = self.rng.integers(0, self.size[0], n), self.rng.integers(0, self.size[1], n)
        # Factors, not terms: added noise would put green and blue specks into dark reds.
        tint = self.rng.normal(1, 2.5 * jitter, (n, 1)) * self.rng.normal(1, jitter, (n, 3))
        colours = under[rows, columns] * tint + 0.2 * self.rng.normal(0, jitter, (n, 1))
        turn = self.rng.normal(0, 0.12, n)
        start = np.stack([columns, rows], axis=1) / self.unit_px
        path = [start]
        for _ in range(3):
            at = (path[-1] * self.unit_px).astype(int)
            here = angle[np.clip(at[:, 1], 0, self.size[1] - 1), np.clip(at[:, 0], 0, self.size[0] - 1)] + turn
            path.append(path[-1] + length / 3 * np.stack([np.cos(here), np.sin(here)], axis=1))
        taper = np.array([0.6, 1.0, 0.9, 0.3])
        shapes = outlines(np.stack(path, axis=1), width * self.rng.uniform(0.5, 1.4, (n, 1)) * taper)
        sheet = self.sheet(under)
        for shape, colour in zip(shapes, colours, strict=True):
            sheet.polygon(shape, colour)
        return sheet.paint()

    @property
    def _drawn_size(self) -> tuple[int, int]:
        return self.size[0] * OVERSAMPLING, self.size[1] * OVERSAMPLING


def outlines(points: Float[np.ndarray, "m n 2"], widths: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "m 2*n 2"]:
    """The polygons around m paths whose widths change along them."""
    along = np.gradient(points, axis=1)
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    across /= np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9)
    side = across * widths[..., None] / 2
    return np.concatenate([points + side, (points - side)[:, ::-1]], axis=1)
