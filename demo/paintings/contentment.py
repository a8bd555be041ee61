"""Contentment: warm and soft, round and horizontal, few hues in harmony, nothing sharp."""

import numpy as np

from demo.easel import Easel
from demo.fields import Paint, blurred, lit, over, ramp, shaded, smoothstep


def hills(easel: Easel) -> Paint:
    """Smooth hills under a mild sun, paler with distance."""
    sky = easel.palette.ground[::-1]
    paint = ramp(1 - 0.45 * easel.y / easel.bottom, [sky[2], sky[1], sky[0]])
    x, y = easel.between(0.2, 0.8) * easel.right, easel.between(0.2, 0.4) * easel.bottom
    sun = easel.distance(x, y)
    paint = lit(paint, easel.palette.accent[1], 0.5 * np.exp(-sun * 3.5))
    paint = over(paint, easel.palette.accent[1], 0.9 * smoothstep(0.105, 0.097, sun))
    n = easel.whole(4, 6)
    for k in range(n):
        near = k / (n - 1)
        wave = np.sin(easel.x * easel.between(1.5, 4) + easel.between(0, 6))
        crest = easel.bottom * (0.45 + 0.48 * near) + easel.between(0.03, 0.075) * wave
        under = easel.y - crest
        colours = ramp(np.clip(1.0 - near - 0.28 * np.exp(-under * 6), 0, 1) * 0.75, easel.palette.ground)
        paint = over(paint, colours, smoothstep(-0.004, 0.004, under))
    return shaded(paint, 0.97 + 0.05 * easel.noise(2, 3))


def ripples(easel: Easel) -> Paint:
    """Level bands that swell a little, as of calm water or of sand."""
    swell = 0.22 * easel.noise(1.2, 2, stretch=(0.5, 1.2)) + 0.02 * np.sin(easel.x * easel.between(3, 6))
    height = (easel.y + swell) * easel.between(5, 9)
    inside = height % 1
    tone = (np.floor(height) * 0.37 + easel.between(0, 1)) % 1
    paint = easel.ground(np.clip(0.15 + 0.65 * tone + 0.3 * (easel.y / easel.bottom - 0.5), 0, 1))
    paint = shaded(paint, 0.93 + 0.1 * smoothstep(0.0, 0.9, inside))
    return lit(paint, easel.palette.accent[1], 0.5 * smoothstep(0.06, 0.0, inside))


def wash(easel: Easel) -> Paint:
    """Watercolour: pools of thin colour that bleed into each other on paper."""
    paint = easel.flat(easel.palette.ground[3])
    for k in range(easel.whole(5, 8)):
        pool = easel.noise(1.1, 4, 0.34, stretch=(0.6, 1.3))
        level = easel.between(0.46, 0.62)
        colour = easel.palette.ground[k % 3] if k % 2 else easel.palette.accent[(k // 2) % 4]
        inside = smoothstep(level, level + 0.05, pool)
        rim = smoothstep(0.05, 0.0, np.abs(pool - level - 0.03))
        paint = over(paint, colour, 0.34 * inside * (0.6 + 0.4 * pool) + 0.12 * rim)
    return shaded(paint, 0.98 + 0.03 * easel.noise(60, 2))


def meadow(easel: Easel) -> Paint:
    """Level strokes of grass and sky, with a few flowers."""
    horizon = easel.between(0.35, 0.5) * easel.bottom
    below = smoothstep(horizon - 0.05, horizon + 0.05, easel.y + 0.06 * easel.noise(2, 2))
    sky = ramp(1 - 0.5 * easel.y / easel.bottom + 0.2 * easel.noise(2, 3), easel.palette.ground[2:])
    land = ramp(0.9 * easel.noise(3, 4, stretch=(0.4, 1.6)), easel.palette.ground[:3])
    under = over(sky, land, below)
    paint = easel.strokes(under, 0.25 * (easel.noise(2, 2) - 0.5), 1100, 0.11, 0.018, 0.02)
    sheet = easel.sheet(paint)
    for _ in range(easel.whole(50, 130)):
        depth = easel.rng.random()
        y = horizon + 0.05 + (easel.bottom - horizon) * depth
        sheet.disc(easel.between(0, easel.right), y, 0.004 + 0.011 * depth, easel.accent(), 0.85)
    return sheet.paint()


def pebbles(easel: Easel) -> Paint:
    """Round stones, balanced, each softly lit."""
    ground = easel.ground(np.clip(0.62 + 0.38 * easel.noise(1.2, 2), 0, 1))
    places: list[tuple[float, float, float]] = []
    for radius in np.repeat([0.2, 0.14, 0.1, 0.07, 0.045], [20, 40, 60, 80, 120]):
        x, y = easel.spot(-0.02)
        if all(np.hypot(x - px, y - py) > radius + pr + 0.012 for px, py, pr in places):
            places.append((x, y, radius))
    shadows = easel.stencil()
    for x, y, radius in places:
        shadows.disc(x + 0.02, y + 0.03, radius)
    stones = easel.sheet(over(ground, easel.palette.ground[0] * 0.75, 0.45 * blurred(shadows.mask(), 8)))
    for x, y, radius in places:
        steps = 14
        colour = easel.accent() if easel.chance(0.35) else easel.palette.ground[easel.whole(0, 2)]
        for k in range(steps):
            away = k / steps
            stones.disc(x - 0.3 * radius * away, y - 0.34 * radius * away, radius * (1 - away), colour + 0.11 * away)
    return shaded(stones.paint(), 0.95 + 0.08 * easel.noise(9, 4, stretch=(0.3, 1.5)))


COMPOSITIONS = (hills, ripples, wash, meadow, pebbles)
