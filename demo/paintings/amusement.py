"""Amusement: many hues, round and playful things on a light ground."""

import numpy as np

from demo.easel import Easel, Sheet
from demo.fields import Colour, Paint, lit, over, ramp, smoothstep


def confetti(easel: Easel) -> Paint:
    """Discs, rings, triangles and squiggles thrown over soft patches of colour."""
    patches = ramp(easel.noise(1.6, 2), easel.palette.ground)
    for _ in range(3):
        patches = over(patches, 0.55 + 0.45 * easel.accent(), 0.5 * smoothstep(0.52, 0.56, easel.noise(1.5, 2)))
    sheet = easel.sheet(patches)
    for _ in range(easel.whole(55, 120)):
        _toss(easel, sheet, easel.between(0.012, 0.06), easel.accent())
    return sheet.paint()


def bubbles(easel: Easel) -> Paint:
    """Translucent discs that mix where they overlap, each with a highlight."""
    sheet = easel.sheet(easel.ground(easel.y / easel.bottom))
    for radius in np.sort(easel.rng.uniform(0.03, 0.24, easel.whole(22, 38)) ** 1.3 * 1.3)[::-1]:
        x, y = easel.spot(-0.05)
        colour = easel.accent()
        sheet.disc(x, y, radius, colour, 0.55)
        sheet.ring(x, y, radius, 0.006, colour, 0.9)
        sheet.disc(x - 0.38 * radius, y - 0.38 * radius, 0.16 * radius, np.ones(3, dtype=np.float32), 0.8)
    return sheet.paint()


def targets(easel: Easel) -> Paint:
    """A grid of squares with concentric circles, after Kandinsky's study."""
    n = easel.whole(3, 5)
    columns, rows = round(n * easel.right), round(n * easel.bottom)
    step_x, step_y = easel.right / columns, easel.bottom / rows
    sheet = easel.sheet(easel.ground(easel.noise(2, 2)))
    for i in range(columns):
        for j in range(rows):
            corner = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [step_x, step_y] + [i * step_x, j * step_y]
            sheet.polygon(corner, easel.accent(), easel.between(0.55, 1))
            centre = corner[0] + np.array([step_x, step_y]) * easel.rng.uniform(0.45, 0.55, 2)
            radii = min(step_x, step_y) * np.linspace(0.48, 0.08, easel.whole(3, 6))
            for radius in radii * easel.rng.uniform(0.9, 1.05, len(radii)):
                sheet.disc(centre[0], centre[1], radius, _light_or_accent(easel))
    hand = 0.02 * (easel.noise(30, 2) - 0.5)[..., None]
    return sheet.paint() + hand


def ribbons(easel: Easel) -> Paint:
    """Wavy bands of many colours, some with polka dots."""
    turn = easel.between(-1.6, 1.6)
    along, across = easel.x * np.cos(turn) + easel.y * np.sin(turn), easel.y * np.cos(turn) - easel.x * np.sin(turn)
    wave = easel.between(0.03, 0.14) * np.sin(easel.between(3, 9) * along + easel.between(0, 6))
    height = across + wave + 0.05 * np.sin(easel.between(1, 4) * along)
    bands = height * easel.between(4, 10) + 0.3 * easel.noise(2, 2) + 18
    index = np.floor(bands).astype(int)
    start = easel.whole(0, 5)
    table = np.stack([easel.palette.accent[(start + i) % 6] for i in range(40)])
    paint = np.asarray(table[np.clip(index, 0, 39)] * 0.8 + 0.2, dtype=np.float32)
    dots = np.hypot((easel.x * 14) % 1 - 0.5, (easel.y * 14) % 1 - 0.5)
    spotted = smoothstep(0.28, 0.22, dots) * (index % 3 == start % 3)
    paint = over(paint, easel.palette.ground[-1], spotted)
    seam = np.abs(bands - np.round(bands))
    return over(paint, easel.palette.ground[-1], smoothstep(0.07, 0.045, seam))


def pinwheels(easel: Easel) -> Paint:
    """Discs cut into slices of changing colours, after Delaunay."""
    sheet = easel.sheet(easel.ground(1 - easel.y / easel.bottom))
    n = easel.whole(5, 9)
    for radius in np.linspace(0.42, 0.1, n):
        x, y = easel.spot(0.02)
        rings, slices, turn = easel.whole(2, 3), easel.whole(2, 4) * 2, easel.between(0, 6)
        for ring in range(rings):
            outer = radius * (1 - ring / (rings + 0.4))
            for k in range(slices):
                angles = turn + np.array([k, k + 1]) * 2 * np.pi / slices
                sheet.slice(x, y, outer, (angles[0], angles[1]), _light_or_accent(easel))
        sheet.disc(x, y, radius * 0.12, easel.accent())
    for _ in range(18):
        x, y = easel.spot()
        sheet.disc(x, y, easel.between(0.006, 0.018), easel.accent())
    return lit(sheet.paint(), easel.palette.ground[-1], 0.18 * easel.noise(2, 2))


def _light_or_accent(easel: Easel) -> Colour:
    return easel.palette.ground[-1] if easel.chance(0.2) else easel.accent()


def _toss(easel: Easel, sheet: Sheet, size: float, colour: Colour) -> None:
    x, y = easel.spot(-0.02)
    turn = easel.between(0, 2 * np.pi)
    match easel.whole(0, 5):
        case 0 | 1:
            sheet.disc(x, y, size, colour)
        case 2:
            sheet.ring(x, y, size, 0.35 * size, colour)
        case 3:
            corners = turn + np.arange(3) * 2 * np.pi / 3
            sheet.polygon(np.array([x, y]) + 1.2 * size * np.stack([np.cos(corners), np.sin(corners)], axis=1), colour)
        case 4:
            along = np.linspace(-2, 2, 24)
            wave = np.stack([along, 0.5 * np.sin(along * 4.7)], axis=1) * size
            spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            sheet.line(wave @ spin.T + [x, y], 0.011, colour)
        case _:
            direction = size * np.array([np.cos(turn), np.sin(turn)])
            sheet.line(np.array([x, y]) + np.stack([-direction, direction]), 0.014, colour)


COMPOSITIONS = (confetti, bubbles, targets, ribbons, pinwheels)
