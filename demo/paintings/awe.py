"""Awe: vast spaces, long gradations from deep blue to gold, light that radiates."""

import numpy as np

from demo.easel import Easel
from demo.fields import Field, Paint, blurred, lit, over, smoothstep


def aurora(easel: Easel) -> Paint:
    """Curtains of light over a ridge, under stars."""
    height = easel.y / easel.bottom
    paint = easel.ground(0.42 * height**1.5)
    paint = _with_stars(easel, paint, 160)
    for k in range(easel.whole(2, 4)):
        colour = easel.palette.accent[1 + k % 3]
        hem = easel.between(0.4, 0.68) + 0.22 * (easel.noise(1.3, 2, stretch=(1, 0.01)) - 0.5)
        hem = hem + 0.05 * np.sin(easel.x * easel.between(4, 9) + easel.between(0, 6))
        rays = easel.noise(9, 3, 0.7, stretch=(1, 0.02))
        above = hem - height
        curtain = np.exp(-np.maximum(above, 0) * 5.5) * smoothstep(-0.035, 0.01, above)
        paint = lit(paint, colour, 0.85 * curtain * (0.25 + 0.75 * rays**1.5))
    return _with_ridges(easel, paint, 2)


def nebula(easel: Easel) -> Paint:
    """A spiral of dust and light around a bright core."""
    x, y = 0.5 * easel.right + easel.between(-0.2, 0.2), 0.5 * easel.bottom + easel.between(-0.15, 0.15)
    radius = np.hypot(easel.x - x, (easel.y - y) * easel.between(1.1, 1.7))
    swirl = easel.angle(x, y) * easel.whole(1, 2) + easel.between(4, 7) * np.log(radius + 0.12)
    arms = 0.5 + 0.5 * np.cos(swirl + 2.2 * easel.noise(2.5, 4))
    dust = easel.noise(3, 5, 0.6)
    glow = np.exp(-radius * 2.6) * (0.35 + 0.75 * arms * dust) + 0.75 * np.exp(-radius * 11)
    paint = easel.ground(np.clip(0.1 * dust + 1.15 * glow, 0, 1))
    paint = lit(paint, easel.palette.accent[3], 0.4 * arms * dust**2 * np.exp(-radius * 1.6))
    return _with_stars(easel, paint, 260)


def dawn(easel: Easel) -> Paint:
    """Rays from a light at the horizon, over a vast gradation."""
    x, y = easel.between(0.25, 0.75) * easel.right, easel.between(0.62, 0.82) * easel.bottom
    distance, angle = easel.distance(x, y), easel.angle(x, y)
    vast = 0.75 * np.exp(-distance * easel.between(0.9, 1.5)) + 0.42 * np.exp(-np.abs(easel.y - y) * 3.5)
    spokes = 0.5 + 0.5 * np.sin(angle * easel.whole(11, 23) + 3 * np.sin(angle * 3))
    clouds = easel.noise(2.2, 5, 0.55, stretch=(0.5, 1.8))
    paint = easel.ground(np.clip(0.05 + 0.92 * vast + 0.16 * (spokes - 0.5) * smoothstep(0.9, 0.1, distance), 0, 1))
    paint = over(paint, easel.palette.ground[1], 0.55 * smoothstep(0.5, 0.8, clouds) * smoothstep(0.0, 0.6, distance))
    paint = lit(paint, easel.palette.accent[0], np.exp(-((distance / 0.09) ** 2)))
    paint = _with_stars(easel, paint, 70, below=0.4)
    return _with_ridges(easel, paint, easel.whole(2, 4), top=y / easel.bottom + 0.03)


def whirling_night(easel: Easel) -> Paint:
    """Strokes that wheel around lights in the sky."""
    lights = [
        (easel.between(0.1, easel.right - 0.1), easel.between(0.1, 0.75 * easel.bottom), easel.between(0.035, 0.12))
        for _ in range(easel.whole(4, 8))
    ]
    direction: Field = np.zeros_like(easel.x) + np.float32(0.4) * (easel.noise(1.5, 2) - 0.5)
    value: Field = 0.42 * easel.noise(2, 3, stretch=(0.6, 1.4)) + 0.08 * easel.y
    weight: Field = np.full_like(easel.x, 0.25)
    sines, cosines = np.sin(direction) * weight, np.cos(direction) * weight
    for x, y, radius in lights:
        pull = np.exp(-easel.distance(x, y) / (3 * radius))
        tangent = easel.angle(x, y) + np.pi / 2
        sines, cosines = sines + pull * np.sin(tangent), cosines + pull * np.cos(tangent)
        rings = 0.75 + 0.25 * np.cos(easel.distance(x, y) / radius * 5)
        value = np.maximum(value, rings * np.exp(-((easel.distance(x, y) / (1.7 * radius)) ** 2) * 0.7))
    direction = np.arctan2(sines, cosines)
    under = easel.ground(np.clip(value, 0, 1))
    paint = easel.strokes(under, direction, 1100, 0.085, 0.016, 0.04)
    paint = easel.strokes(paint, direction, 700, 0.06, 0.007, 0.06)
    return _with_ridges(easel, paint, 1, top=easel.between(0.82, 0.9))


def cathedral(easel: Easel) -> Paint:
    """Shafts of light fall from above into a blue depth."""
    x = easel.between(0.2, 0.8) * easel.right
    angle = np.arctan2(easel.x - x, easel.y + 0.35)
    shafts = easel.noise(5, 4, 0.6, stretch=(1, 0.001))
    row = (np.clip((angle + 1.2) / 2.4, 0, 1) * (easel.size[0] - 1)).astype(int)
    light = smoothstep(0.25, 0.85, shafts[0][row])
    depth = easel.y / easel.bottom
    fall = np.exp(-depth * 0.75) * np.exp(-np.abs(angle) * 1.2)
    motes = easel.noise(2, 5, 0.6)
    paint = easel.ground(np.clip(0.02 + fall * (0.12 + 1.0 * light) * (0.75 + 0.5 * motes) - 0.1 * depth, 0, 1))
    paint = lit(paint, easel.palette.accent[1], 0.55 * np.exp(-easel.distance(x, -0.08) * 3.2))
    return _with_stars(easel, paint, 110, largest=0.004)


def _with_stars(easel: Easel, paint: Paint, n: int, below: float = 1.0, largest: float = 0.0045) -> Paint:
    stencil = easel.stencil()
    for size in easel.rng.random(n) ** 5:
        x, y = easel.spot()
        stencil.disc(x, y * below, 0.0011 + largest * size, easel.between(0.35, 1))
    stars = stencil.mask()
    return lit(lit(paint, easel.palette.accent[0], stars), easel.palette.accent[3], 2.2 * blurred(stars, 4))


def _with_ridges(easel: Easel, paint: Paint, n: int, top: float = 0.7) -> Paint:
    """Mountains one behind the other, darker the nearer."""
    for k in range(n):
        crest = top + 0.2 * k / n - 0.2 * (easel.noise(2.5, 6, 0.5, stretch=(1, 0.001)) - 0.4) * (0.6 + 0.4 * k)
        mask = smoothstep(-0.003, 0.003, easel.y / easel.bottom - crest)
        near = (k + 1) / n
        colour = easel.palette.ground[1] * (1 - near) * 1.1 + easel.palette.ground[0] * near
        paint = over(paint, colour, mask * (0.72 + 0.28 * near))
    return paint


COMPOSITIONS = (aurora, nebula, dawn, whirling_night, cathedral)
