"""Excitement: vivid warm colour against its complement, rays, swirls and bursts, everything moving."""

import numpy as np

from demo.easel import Easel, Points
from demo.fields import Paint, lit, over, shaded, smoothstep


def sunburst(easel: Easel) -> Paint:
    """Wedges that shoot from one point, with a halftone of dots."""
    x, y = easel.spot(0.2)
    angle, distance = easel.angle(x, y), easel.distance(x, y)
    wedges = np.sin(angle * easel.whole(7, 14) + easel.between(-3, 3) * distance)
    paint = easel.ground(np.clip(0.8 - 0.7 * distance + 0.36 * smoothstep(-0.06, 0.06, wedges) - 0.18, 0, 1))
    paint = over(paint, easel.accent(first=1), 0.75 * smoothstep(0.84, 0.9, wedges))
    rings = np.hypot((easel.x * 19) % 1 - 0.5, (easel.y * 19) % 1 - 0.5)
    dots = smoothstep(0.05, -0.05, rings - 0.62 * np.clip(distance - 0.15, 0, 0.7))
    paint = over(paint, easel.palette.ground[0], 0.85 * dots * smoothstep(0.06, -0.06, wedges))
    return over(paint, easel.palette.accent[0], smoothstep(0.1, 0.094, distance))


def swirl(easel: Easel) -> Paint:
    """A vortex of vivid bands."""
    x, y = easel.spot(0.3)
    radius = easel.distance(x, y) + 0.05 * easel.noise(2, 3)
    arms, twist = easel.whole(2, 4), easel.between(3.5, 7) * (1 if easel.chance(0.5) else -1)
    phase = (easel.angle(x, y) * arms + twist * np.log(radius + 0.03) * 1.5) / (2 * np.pi)
    inside = phase % 1
    paint = easel.ground(np.clip(inside * 0.9 + 0.2 * (0.5 - radius), 0, 1))
    paint = over(paint, easel.palette.accent[3], 0.85 * smoothstep(0.1, 0.06, np.abs(inside - 0.12)))
    paint = over(paint, easel.palette.accent[0], smoothstep(0.035, 0.02, np.abs(inside - 0.97)))
    direction = easel.angle(x, y) + np.pi / 2 - np.arctan2(arms, twist * 1.5)
    return easel.strokes(paint, direction.astype(np.float32), 900, 0.1, 0.012, 0.04)


def fireworks(easel: Easel) -> Paint:
    """Bursts of sparks over a glowing dusk."""
    paint = easel.ground(np.clip(0.05 + 0.6 * easel.y / easel.bottom + 0.3 * (easel.noise(1.5, 3) - 0.5), 0, 1))
    colours = [easel.palette.ground[4], *easel.palette.accent]
    for k in range(easel.whole(3, 6)):
        x, y = easel.spot(0.12)
        reach = easel.between(0.14, 0.42)
        paint = lit(paint, easel.palette.ground[3], 0.8 * np.exp(-easel.distance(x, y) / reach * 2.2))
        sheet = easel.sheet(paint)
        for _ in range(easel.whole(50, 90)):
            angle, length = easel.between(0, 2 * np.pi), reach * easel.between(0.5, 1)
            path = _arc(x, y, angle, length, sag=0.12)
            sheet.ribbon(path, np.linspace(0.001, 0.009, 8), colours[(k + easel.whole(0, 1)) % 5], 0.9)
            sheet.disc(float(path[-1, 0]), float(path[-1, 1]), 0.004 + 0.008 * reach, easel.palette.accent[0])
        paint = sheet.paint()
    return paint


def splash(easel: Easel) -> Paint:
    """Paint flung across the canvas: ribbons, drops and spatter."""
    tilt = easel.between(-0.6, 0.6)
    slope = 0.5 + (easel.y - 0.5 * easel.bottom + tilt * (easel.x - 0.5 * easel.right)) * 0.8
    sheet = easel.sheet(easel.ground(np.clip(slope + 0.4 * (easel.noise(2, 4) - 0.5), 0, 1)))
    colours = [*easel.palette.accent, easel.palette.ground[0], easel.palette.ground[4]]
    for k in range(easel.whole(11, 18)):
        colour = colours[(k + easel.whole(0, 1)) % 6]
        x, y = easel.spot(0.05)
        turns = easel.between(0, 2 * np.pi) + np.cumsum(easel.rng.normal(easel.between(-0.12, 0.12), 0.05, 24))
        steps = easel.between(0.02, 0.05) * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        path = np.array([x, y]) + np.cumsum(steps, axis=0)
        loaded = np.sin(np.linspace(0.12, np.pi - 0.02, 24)) ** 0.6 * easel.rng.uniform(0.75, 1.1, 24)
        sheet.ribbon(path, easel.between(0.02, 0.1) * loaded, colour)
        for _ in range(40):
            near = path[easel.whole(8, 23)] + easel.rng.normal(0, 0.075, 2)
            sheet.disc(float(near[0]), float(near[1]), 0.002 + 0.026 * easel.rng.random() ** 4, colour)
    return shaded(sheet.paint(), 0.92 + 0.14 * easel.noise(12, 3))


def rush(easel: Easel) -> Paint:
    """Hot strokes that race along a turbulent stream."""
    stream = 2.2 * np.pi * easel.noise(1.1, 2) + easel.between(0, 6)
    value = easel.noise(1.7, 4, 0.55)
    paint = easel.ground(np.clip(1.15 * value - 0.05, 0, 1))
    paint = over(paint, easel.palette.accent[2], 0.9 * smoothstep(0.66, 0.7, easel.noise(1.6, 3)))
    paint = over(paint, easel.palette.accent[3], 0.9 * smoothstep(0.7, 0.73, easel.noise(1.6, 3)))
    paint = easel.strokes(paint, stream, 600, 0.26, 0.034, 0.05)
    return easel.strokes(paint, stream, 700, 0.15, 0.01, 0.09)


def _arc(x: float, y: float, angle: float, length: float, sag: float) -> Points:
    """A path of eight points from a place outwards that falls, or rises, as it goes."""
    along = np.linspace(0.08, 1, 8)
    return np.stack([x + length * along * np.cos(angle), y + length * (along * np.sin(angle) + sag * along**2)], axis=1)


COMPOSITIONS = (sunburst, swirl, fireworks, splash, rush)
