"""Pictures that are no photos, drawn from a seed: what a model of photos should not be sure about."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE: Final = (320, 240)
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"

Draw = Callable[[np.random.Generator], Image.Image]


def draw_all(n: int, seed: int) -> Iterator[tuple[str, list[Image.Image]]]:
    """Every kind with n RGB pictures of it, the same for the same seed."""
    for number, (kind, draw) in enumerate(KINDS.items()):
        yield kind, [draw(np.random.default_rng((seed, number, index))) for index in range(n)]


def _noise(rng: np.random.Generator) -> Image.Image:
    """Grains of 1 to 8 pixels: fine noise alone would be gone after the resize."""
    grain = int(rng.integers(1, 9))
    pixels = rng.integers(0, 256, (SIZE[1] // grain, SIZE[0] // grain, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(SIZE, Image.Resampling.NEAREST)


def _flat_colour(rng: np.random.Generator) -> Image.Image:
    return Image.new("RGB", SIZE, _colour(rng))


def _gradient(rng: np.random.Generator) -> Image.Image:
    """From one colour to another, at any angle."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    along = x * np.cos(angle) + y * np.sin(angle)
    share = ((along - along.min()) / np.ptp(along))[..., None]
    first, last = np.array(_colour(rng)), np.array(_colour(rng))
    return Image.fromarray((first * (1 - share) + last * share).astype(np.uint8))


def _text(rng: np.random.Generator) -> Image.Image:
    """Lines of made-up words on a pale ground."""
    picture = Image.new("RGB", SIZE, _colour(rng, low=220))
    pen, ink = ImageDraw.Draw(picture), _colour(rng, high=80)
    size_px = int(rng.integers(10, 24))
    font = ImageFont.load_default(size_px)
    for y in range(12, SIZE[1] - size_px, round(1.4 * size_px)):
        pen.text((12, y), " ".join(_word(rng) for _ in range(SIZE[0] // (4 * size_px))), ink, font)
    return picture


def _bar_chart(rng: np.random.Generator) -> Image.Image:
    """Axes, a few bars, a heading."""
    picture = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(picture)
    left, bottom, top = 40, SIZE[1] - 30, 40
    pen.text((left, 10), f"{_word(rng)} {_word(rng)}", "black", ImageFont.load_default(14))
    colour, n_bars = _colour(rng), int(rng.integers(3, 11))
    step = (SIZE[0] - left - 20) / n_bars
    for bar, height in enumerate(rng.uniform(0.05, 1, n_bars)):
        x = left + (bar + 0.2) * step
        pen.rectangle((x, bottom - height * (bottom - top), x + 0.6 * step, bottom), colour)
    pen.line((left, top, left, bottom, SIZE[0] - 20, bottom), "black", 2)
    return picture


def _colour(rng: np.random.Generator, low: int = 0, high: int = 255) -> tuple[int, int, int]:
    red, green, blue = rng.integers(low, high, 3, endpoint=True).tolist()
    return red, green, blue


def _word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list(LETTERS), rng.integers(2, 10)))


KINDS: Final[dict[str, Draw]] = {
    "noise": _noise,
    "flat colour": _flat_colour,
    "gradient": _gradient,
    "text": _text,
    "bar chart": _bar_chart,
}
