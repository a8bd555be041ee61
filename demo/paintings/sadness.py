"""Sadness: blue-grey and dim, vertical and drooping, much empty space."""

import numpy as np

from demo.easel import Easel
from demo.fields import Paint, blurred, lit, over, ramp, shaded, smoothstep


def rain(easel: Easel) -> Paint:
    """Streaks of rain before a grey that thins out."""
    veil = easel.noise(2.2, 4, stretch=(1, 0.3))
    paint = easel.ground(np.clip(0.75 - 0.6 * easel.y / easel.bottom + 0.35 * (veil - 0.5), 0, 1))
    lean = easel.between(-0.05, 0.05)
    far, near = easel.stencil(), easel.stencil()
    for k in range(easel.whole(220, 420)):
        x, y = easel.spot(-0.1)
        length = easel.between(0.05, 0.28)
        path = np.array([[x, y], [x + lean * length, y + length]])
        (far if k % 3 else near).line(path, 0.0018 if k % 3 else 0.0035, easel.between(0.25, 0.8))
    paint = lit(paint, easel.palette.accent[1], 0.35 * blurred(far.mask(), 1.2))
    return lit(paint, easel.palette.accent[1], 0.5 * near.mask())


def alone(easel: Easel) -> Paint:
    """An empty plain in fog, and one small dark shape."""
    horizon = easel.between(0.6, 0.78) * easel.bottom
    sky = easel.ground(np.clip(0.5 + 0.4 * easel.y / horizon + 0.25 * (easel.noise(1.4, 4) - 0.5), 0, 1))
    depth = np.clip((easel.y - horizon) / (easel.bottom - horizon), 0, 1)
    plain = easel.ground(np.clip(0.72 - 0.5 * depth + 0.12 * easel.noise(3, 4, stretch=(0.2, 2)), 0, 1))
    paint = over(sky, plain, smoothstep(-0.03, 0.05, easel.y - horizon))
    x, foot = easel.between(0.15, 0.85) * easel.right, horizon + easel.between(0.03, 0.09)
    sheet = easel.sheet(paint)
    tall = easel.between(0.07, 0.13)
    bent = np.array([[0, 0], [0.02, -0.3], [-0.02, -0.6], [0.05, -0.86], [0.2, -0.97]]) * tall + [x, foot]
    sheet.ribbon(bent, tall * np.array([0.34, 0.3, 0.34, 0.22, 0.2]), easel.palette.accent[0], 0.9)
    shadow = np.array([[x, foot], [x + 0.4 * tall, foot + 0.2 * tall], [x + 1.1 * tall, foot + 0.42 * tall]])
    sheet.ribbon(shadow, tall * np.array([0.3, 0.26, 0.05]), easel.palette.accent[3], 0.45)
    mist = 0.45 * easel.noise(1.6, 4, stretch=(0.4, 2)) * np.exp(-np.abs(easel.y - horizon) * 6)
    return lit(sheet.paint(), easel.palette.ground[3], mist)


def weeping(easel: Easel) -> Paint:
    """Dim fields of colour that run down, after Rothko."""
    paint = easel.ground(0.3 + 0.3 * easel.noise(2, 5, stretch=(1, 0.5)))
    edges = np.sort(easel.rng.uniform(0.2, 0.8, 1)) * easel.bottom
    spans = [(0.07, float(edges[0]) - 0.025), (float(edges[0]) + 0.025, easel.bottom - 0.07)]
    for k, (top, foot) in enumerate(spans):
        ragged = 0.02 * easel.noise(9, 3) + 0.05 * easel.noise(16, 3, stretch=(1, 0.05)) * smoothstep(
            0.6, 1, easel.y / foot
        )
        inside = smoothstep(0.0, 0.03, easel.y - top + ragged) * smoothstep(0.0, 0.04, foot + ragged - easel.y)
        inside = inside * smoothstep(0.05, 0.09, np.minimum(easel.x, easel.right - easel.x) + ragged)
        tone = ramp(np.clip(0.6 * easel.noise(3, 5, 0.6) + (0.35 if k else 0.0), 0, 1), easel.palette.ground)
        paint = over(paint, tone, 0.85 * inside)
    drips = easel.noise(26, 2, stretch=(1, 0.03)) ** 3 * smoothstep(spans[0][1] - 0.1, spans[0][1] + 0.3, easel.y)
    return over(paint, easel.palette.accent[0], 0.55 * drips)


def grey_sea(easel: Easel) -> Paint:
    """Heavy cloud over a flat sea, in tired strokes."""
    horizon = easel.between(0.5, 0.72) * easel.bottom
    cloud = easel.noise(1.6, 5, 0.55, stretch=(0.6, 1.6))
    sky = easel.ground(np.clip(0.2 + 0.55 * cloud + 0.25 * easel.y / horizon, 0, 1))
    sea = easel.ground(
        np.clip(0.5 - 0.5 * (easel.y - horizon) + 0.3 * (easel.noise(6, 4, stretch=(0.1, 2)) - 0.5), 0, 1)
    )
    under = over(sky, sea, smoothstep(-0.006, 0.006, easel.y - horizon))
    droop = np.where(easel.y < horizon, 0.5 * (cloud - 0.3), 0.0).astype(np.float32)
    paint = easel.strokes(under, droop, 900, 0.14, 0.02, 0.015)
    gleam = np.exp(-np.abs(easel.y - horizon) * 60) * easel.noise(2, 3)
    return lit(paint, easel.palette.accent[1], 0.35 * gleam)


def willow(easel: Easel) -> Paint:
    """Threads that hang and bend under their own weight."""
    paint = easel.ground(np.clip(0.85 - 0.55 * easel.y / easel.bottom + 0.3 * (easel.noise(1.5, 4) - 0.5), 0, 1))
    x = easel.between(0.15, 0.85) * easel.right
    for layer in range(3):
        sheet = easel.sheet(paint)
        for _ in range(easel.whole(16, 26)):
            away, drop = easel.rng.normal(0, 0.34), easel.between(0.45, 1.0) * easel.bottom
            t = np.linspace(0, 1, 16)
            path = np.stack([x + away * np.sqrt(t) + 0.015 * np.sin(6 * t + away * 9), -0.05 + drop * t**1.7], axis=1)
            sheet.ribbon(path, np.linspace(0.008, 0.0015, 16), easel.palette.accent[(2, 3, 0)[layer]], 0.5)
            for leaf in path[6::2]:
                drooping = leaf + np.array([[0, 0], [0.006, 0.02], [0.002, 0.05]]) * easel.between(0.5, 1.2)
                sheet.ribbon(drooping, np.array([0.002, 0.009, 0.001]), easel.palette.accent[(2, 3, 0)[layer]], 0.5)
        paint = shaded(sheet.paint(), 0.97 + 0.05 * easel.noise(2, 3))
    return paint


COMPOSITIONS = (rain, alone, weeping, grey_sea, willow)
