"""Disgust: olive, mustard and brown; blotches, cells and slime, with no place to rest."""

import numpy as np

from demo.easel import Easel
from demo.fields import Paint, blurred, cells, lit, normalised, over, shaded, smoothstep


def membranes(easel: Easel) -> Paint:
    """Swollen cells with dark nuclei behind wet walls."""
    nearest, border, value = cells(easel.rng, easel.size, easel.whole(35, 75))
    border = border + 0.02 * easel.noise(14, 3)
    paint = easel.ground(np.clip(0.25 + 0.5 * value + 0.35 * easel.noise(6, 4) - 2.2 * nearest, 0, 1))
    paint = over(paint, easel.palette.accent[0], smoothstep(0.03, 0.012, nearest) * 0.85)
    paint = over(paint, easel.palette.accent[2], 0.75 * smoothstep(0.035, 0.012, border))
    return lit(paint, easel.palette.ground[-1], 0.5 * smoothstep(0.016, 0.0, np.abs(border - 0.05)))


def mould(easel: Easel) -> Paint:
    """Colonies that spread in rings over something spoiled."""
    paint = easel.ground(0.35 + 0.6 * easel.noise(2, 5, 0.6))
    for k in range(easel.whole(3, 5)):
        growth = easel.noise(easel.between(1.6, 3.2), 6, 0.62)
        level = easel.between(0.5, 0.62)
        body = smoothstep(level, level + 0.03, growth)
        fur = easel.noise(40, 2)
        paint = over(paint, easel.palette.accent[k % 4], body * (0.35 + 0.5 * fur))
        paint = over(paint, easel.palette.ground[-1], 0.7 * smoothstep(0.018, 0.0, np.abs(growth - level)))
    return _speckled(easel, paint, 220)


def slime(easel: Easel) -> Paint:
    """Thick drips from above, glossy, over a stained wall."""
    wall = easel.ground(0.15 + 0.45 * easel.noise(3, 5, 0.6, stretch=(1, 0.4)))
    stencil = easel.stencil()
    hem = easel.between(0.12, 0.3)
    stencil.polygon(np.array([[-0.1, -0.1], [easel.right + 0.1, -0.1], [easel.right + 0.1, hem], [-0.1, hem]]))
    for x in np.arange(0, easel.right, 0.06) + easel.rng.uniform(-0.03, 0.03, len(np.arange(0, easel.right, 0.06))):
        length, width = hem + easel.rng.exponential(0.2), easel.between(0.02, 0.06)
        down = np.linspace(hem - 0.1, length, 12)
        path = np.stack([x + 0.012 * np.sin(down * 9 + x * 20), down], axis=1)
        stencil.ribbon(path, np.linspace(2.2, 0.7, 12) * width)
        stencil.disc(float(path[-1, 0]), length, 0.62 * width)
    shape = stencil.mask()
    thick = blurred(shape, 7)
    mask = smoothstep(0.42, 0.58, blurred(shape, 3))
    body = easel.ground(np.clip(0.25 + 0.6 * thick + 0.3 * (easel.noise(3, 4) - 0.5), 0, 1))
    body = over(body, easel.palette.accent[1], 0.5 * smoothstep(0.5, 0.9, thick))
    wet = np.zeros_like(thick)
    wet[3:, 3:] = thick[3:, 3:] - thick[:-3, :-3]
    body = lit(body, easel.palette.ground[-1], np.clip(wet * 7, 0, 0.9))
    shadow = np.roll(blurred(shape, 6), (6, 5), axis=(0, 1))
    return over(shaded(wall, 1 - 0.6 * shadow), body, mask)


def bile(easel: Easel) -> Paint:
    """Curdled layers, folded into each other like marbled paper gone wrong."""
    fold = easel.noise(1.5, 4)
    angle = 7 * fold + 4 * easel.noise(2.5, 4)
    veins = 0.5 + 0.5 * np.sin(9 * (easel.x * np.cos(angle * 0.3) + easel.y) + 2.4 * angle)
    curd = normalised(veins + 0.9 * easel.noise(7, 4, 0.6))
    paint = easel.ground(curd)
    paint = over(paint, easel.palette.accent[2], 0.7 * smoothstep(0.6, 0.72, easel.noise(2.4, 5)))
    paint = over(paint, easel.palette.accent[1], 0.6 * smoothstep(0.04, 0.0, np.abs(veins - 0.5)) * fold)
    return _speckled(easel, paint, 90)


def blisters(easel: Easel) -> Paint:
    """A skin of swellings, crowded and wet."""
    skin = easel.ground(0.3 + 0.5 * easel.noise(3, 5, 0.6))
    sheet = easel.sheet(skin)
    radii = np.sort(easel.rng.uniform(0.1, 1, easel.whole(110, 190)) ** 2.2 * 0.085 + 0.008)[::-1]
    hearts = [easel.spot() for _ in range(3)]
    for radius in radii:
        cx, cy = hearts[easel.whole(0, 2)]
        x, y = cx + easel.rng.normal(0, 0.26), cy + easel.rng.normal(0, 0.26)
        colour = easel.palette.ground[easel.whole(1, 3)]
        sheet.disc(x + 0.1 * radius, y + 0.14 * radius, radius * 1.1, easel.palette.ground[0], 0.5)
        for k in range(6):
            away = k / 6
            sheet.disc(x - 0.2 * radius * away, y - 0.2 * radius * away, radius * (1 - away), colour + 0.24 * away)
        if easel.chance(0.4):
            sheet.disc(x - 0.1 * radius, y - 0.1 * radius, 0.3 * radius, easel.palette.accent[0], 0.8)
        sheet.disc(x - 0.36 * radius, y - 0.38 * radius, 0.13 * radius, easel.palette.ground[-1], 0.9)
    return shaded(sheet.paint(), 0.75 + 0.5 * easel.noise(10, 4))


def _speckled(easel: Easel, paint: Paint, n: int) -> Paint:
    sheet = easel.sheet(paint)
    for size in easel.rng.random(n) ** 3:
        x, y = easel.spot()
        sheet.disc(x, y, 0.002 + 0.013 * float(size), easel.palette.accent[0], 0.75)
    return sheet.paint()


COMPOSITIONS = (membranes, mould, slime, bile, blisters)
