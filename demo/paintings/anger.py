"""Anger: saturated red against black, jagged and slanted, hard contrasts."""

import numpy as np

from demo.easel import Easel, Points
from demo.fields import Field, Paint, lit, over, shaded, smoothstep


def slashes(easel: Easel) -> Paint:
    """A red field torn by black and burning strokes of a broad dry brush."""
    paint = easel.ground(0.35 + 0.6 * easel.noise(2.5, 5, stretch=(0.6, 1.4)))
    slant = easel.between(0.5, 1.1)
    bristles = _bristles(easel, slant)
    for k in range(easel.whole(7, 12)):
        mask = _dry(easel, _slash(easel, slant + easel.between(-0.25, 0.25)), bristles)
        colour = easel.palette.accent[0] if k % 3 else easel.accent(first=1)
        paint = over(paint, colour, mask)
    return paint


def shards(easel: Easel) -> Paint:
    """Splinters that fly from one point."""
    x, y = easel.spot(0.25)
    glow = np.clip(1.15 - easel.distance(x, y) * easel.between(0.9, 1.3), 0, 1)
    sheet = easel.sheet(easel.ground(glow * (0.6 + 0.5 * easel.noise(4, 4))))
    ramp = easel.palette.ground + [easel.palette.accent[0]] * 3
    for near in np.sort(easel.rng.uniform(0.02, 0.8, easel.whole(70, 110)))[::-1]:
        angle, length = easel.between(0, 2 * np.pi), easel.between(0.15, 0.55)
        spread = easel.between(0.02, 0.16)
        tips = np.array([[near, angle], [near + length, angle - spread], [near + 0.8 * length, angle + spread]])
        points = np.array([x, y]) + tips[:, :1] * np.stack([np.cos(tips[:, 1]), np.sin(tips[:, 1])], axis=1)
        sheet.polygon(points, ramp[easel.whole(0, len(ramp) - 1)], easel.between(0.7, 1))
    return lit(sheet.paint(), easel.palette.accent[1], smoothstep(0.35, 0.0, easel.distance(x, y)))


def eruption(easel: Easel) -> Paint:
    """Flames: ridged noise, sheared and rising out of black."""
    lean = easel.between(0.3, 0.8)
    tongues = 1 - np.abs(2 * easel.noise(2.2, 5, 0.6, stretch=(1.6, 0.7)) - 1)
    sparks = 1 - np.abs(2 * easel.noise(4, 4, 0.6, stretch=(1.4, 0.8)) - 1)
    rise = easel.y / easel.bottom + lean * 0.3 * np.sin(4 * easel.x + easel.between(0, 6))
    heat = np.clip(rise * 1.1 - 0.25 + 0.75 * (tongues**2 - 0.5) + 0.25 * (sparks**2 - 0.4), 0, 1)
    paint = easel.ground(heat)
    paint = lit(paint, easel.palette.accent[1], smoothstep(0.8, 1.1, heat + 0.2 * sparks))
    paint = shaded(paint, 0.35 + 0.65 * smoothstep(0.1, 0.35, tongues))
    direction = np.full_like(heat, -np.pi / 2 + lean * 0.5) + 1.6 * (tongues - 0.5)
    return easel.strokes(paint, direction, 900, 0.11, 0.014, 0.03)


def fury(easel: Easel) -> Paint:
    """Heavy strokes crossing each other, laid on in anger."""
    base = easel.ground(easel.noise(1.8, 4, 0.65))
    first = easel.between(0.4, 1.1)
    direction = np.where(easel.noise(1.5, 2) > 0.5, first, first - easel.between(0.9, 1.5)).astype(np.float32)
    direction += (0.5 * easel.noise(3, 2)).astype(np.float32)
    paint = easel.strokes(base, direction, 420, 0.34, 0.05, 0.07)
    paint = easel.strokes(paint, direction, 500, 0.2, 0.018, 0.09)
    bristles = _bristles(easel, first)
    for _ in range(easel.whole(3, 6)):
        paint = over(paint, easel.palette.accent[easel.whole(0, 1)], _dry(easel, _slash(easel, first), bristles))
    return paint


def lightning(easel: Easel) -> Paint:
    """Zigzag bands, stacked close, with edges that cut."""
    slant, teeth = easel.between(-1.2, 1.2), easel.between(2, 6)
    bent = easel.x * teeth + 1.6 * easel.noise(1.5, 2) + 0.5 * easel.y
    saw = np.abs((bent % 1) - 0.5) * easel.between(0.3, 0.7)
    rough = 0.1 * easel.noise(9, 3) + 0.2 * easel.noise(1.5, 2)
    bands = (easel.y + slant * easel.x + saw + rough) * easel.between(3, 5.5)
    edge = bands % 1
    paint = easel.ground(np.clip((1 - edge) ** 1.6 * 0.95 + 0.15 * easel.noise(6, 4), 0, 1))
    paint = over(paint, easel.palette.accent[0], 0.95 * (np.floor(bands) % 3 == 0) * smoothstep(0.1, 0.14, edge))
    return lit(paint, easel.palette.accent[1], 0.9 * smoothstep(0.05, 0.0, edge))


def _slash(easel: Easel, slant: float) -> Points:
    """A jagged path through the picture in a slanted direction."""
    x, y = easel.spot(0.1)
    reach = np.linspace(-easel.between(0.4, 0.9), easel.between(0.4, 0.9), 7)
    path = np.stack([x + reach * np.cos(slant), y - reach * np.sin(slant)], axis=1)
    return path + easel.rng.normal(0, 0.022, path.shape)


def _bristles(easel: Easel, slant: float) -> Field:
    """Fine noise drawn out along the slant."""
    streaks = easel.noise(34, 3, 0.6, stretch=(0.05, 1))
    along, across = easel.x * np.cos(slant) - easel.y * np.sin(slant), easel.x * np.sin(slant) + easel.y * np.cos(slant)
    rows = (across * 0.5 * easel.unit_px).astype(int) % streaks.shape[0]
    columns = ((along + 1.5) * 0.35 * easel.unit_px).astype(int) % streaks.shape[1]
    return np.asarray(streaks[rows, columns], dtype=np.float32)


def _dry(easel: Easel, path: Points, bristles: Field) -> Field:
    """A stroke's mask, its tips sharp and its bristles running dry."""
    stencil = easel.stencil()
    width = easel.between(0.03, 0.12)
    stencil.ribbon(path, width * np.array([0.05, 0.8, 1.2, 0.7, 1.1, 0.6, 0.02]))
    dryness = easel.between(0.3, 0.46)
    return np.asarray(stencil.mask() * smoothstep(dryness - 0.06, dryness + 0.06, bristles))


COMPOSITIONS = (slashes, shards, eruption, fury, lightning)
