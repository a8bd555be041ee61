"""Fear: near black, thin sharp lines, one pale light at most."""

import numpy as np

from demo.easel import Easel, Points, Sheet
from demo.fields import Field, Paint, blurred, lit, over, shaded, smoothstep


def corridor(easel: Easel) -> Paint:
    """Frames that narrow towards a pale door."""
    x, y = easel.between(0.35, 0.65) * easel.right, easel.between(0.4, 0.6) * easel.bottom
    paint = easel.ground(0.24 * easel.noise(3, 5, 0.6) + 0.35 * np.exp(-easel.distance(x, y) * 5))
    stencil = easel.stencil()
    corners = np.array([[-1, -1], [1, -1], [1, 1.1], [-1, 1.1]])
    tilt = easel.rng.normal(0, 0.02, (14, 4, 2))
    for k, size in enumerate(0.055 * easel.between(1.38, 1.5) ** np.arange(11)):
        frame = np.array([x, y]) + corners * [0.62 * size, size] + tilt[k] * size * 2
        stencil.line(np.concatenate([frame, frame[:1]]), 0.003, 0.95 / (1 + 0.12 * k))
    paint = lit(paint, easel.palette.accent[1], 0.9 * stencil.mask() * easel.noise(5, 3))
    door = easel.stencil()
    door.polygon(np.array([x, y]) + corners * [0.026, 0.05])
    pale = door.mask()
    glow = blurred(np.clip(pale * 1.5, 0, 1), 22)
    return lit(lit(paint, easel.palette.accent[1], 1.6 * glow), easel.palette.accent[0], 0.95 * pale)


def branches(easel: Easel) -> Paint:
    """Bare branches claw at a pale disc in fog."""
    x, y = easel.spot(0.28)
    disc = easel.distance(x, y)
    fog = easel.noise(2, 5, 0.55, stretch=(0.6, 1.5))
    paint = easel.ground(np.clip(0.2 * fog + 0.75 * np.exp(-disc * 4.2), 0, 1))
    paint = over(paint, easel.palette.accent[0], 0.8 * smoothstep(0.1, 0.09, disc) * (0.6 + 0.4 * fog))
    sheet = easel.sheet(paint)
    for _ in range(easel.whole(3, 5)):
        side = easel.chance(0.5)
        root = np.array([-0.03 if side else easel.right + 0.03, easel.between(0.2, 1.1) * easel.bottom])
        towards = np.arctan2(y - root[1], x - root[0]) + easel.rng.normal(0, 0.3)
        _branch(easel, sheet, root, float(towards), easel.between(0.4, 0.6), easel.between(0.02, 0.042))
    return sheet.paint()


def web(easel: Easel) -> Paint:
    """Cracks that run from one point, as in glass, with nothing behind."""
    x, y = easel.spot(0.25)
    distance = easel.distance(x, y)
    paint = easel.ground(np.clip(0.22 * easel.noise(2.5, 5) + 0.45 * np.exp(-distance * 2.8), 0, 1))
    stencil = easel.stencil()
    n = easel.whole(18, 30)
    angles = np.sort(easel.rng.uniform(0, 2 * np.pi, n))
    radii = np.cumsum(easel.rng.uniform(0.03, 0.11, 16))
    arms = []
    for angle in angles:
        bent = angle + np.cumsum(easel.rng.normal(0, 0.045, 16))
        arms.append(np.array([x, y]) + radii[:, None] * np.stack([np.cos(bent), np.sin(bent)], axis=1))
        stencil.ribbon(np.concatenate([[[x, y]], arms[-1]]), np.linspace(0.0055, 0.001, 17), 0.95)
    for ring in range(14):
        for k in range(n):
            if easel.chance(0.55):
                stencil.line(
                    np.array([arms[k][ring], arms[(k + 1) % n][max(0, ring + easel.whole(-1, 1))]]), 0.002, 0.8
                )
    fade = np.exp(-distance * 1.5)
    return lit(paint, easel.palette.accent[0], stencil.mask() * fade * (0.35 + 0.65 * easel.noise(5, 3)))


def abyss(easel: Easel) -> Paint:
    """A funnel of faint threads that turns into black."""
    x, y = easel.spot(0.3)
    radius = np.hypot(easel.x - x, (easel.y - y) * easel.between(1.0, 1.6)) + 0.04 * easel.noise(2, 3)
    twist = easel.between(4, 8) * np.log(radius + 0.02)
    threads = np.sin(easel.angle(x, y) * easel.whole(18, 30) + easel.whole(4, 7) * twist) * 0.5 + 0.5
    folds = np.sin(easel.angle(x, y) * 3 + 2 * twist) * 0.5 + 0.5
    throat = smoothstep(0.06, 0.34, radius)
    paint = easel.ground(np.clip(throat * (0.14 + 0.4 * folds * easel.noise(3, 4)) * np.exp(-0.8 * radius), 0, 1))
    lines = smoothstep(0.965, 1.0, threads) * throat * folds * easel.noise(6, 3)
    paint = lit(paint, easel.palette.accent[0], 0.95 * lines)
    return over(paint, easel.palette.accent[2], smoothstep(0.16, 0.04, radius))


def watchers(easel: Easel) -> Paint:
    """Tall shapes stand in the fog; a few pale slits look back."""
    fog = easel.noise(1.8, 5, 0.55, stretch=(1, 0.5))
    haze = np.exp(-(((easel.x / easel.right - easel.between(0.3, 0.7)) / 0.42) ** 2))
    paint = easel.ground(np.clip(0.1 + 0.8 * haze * (0.35 + 0.65 * fog) * (1 - 0.5 * easel.y / easel.bottom), 0, 1))
    n = easel.whole(4, 7)
    for k, x in enumerate(easel.rng.permutation(np.linspace(0.08, 0.92, n)) * easel.right):
        near = (k + 1) / n
        top, width = easel.between(0.12, 0.5) * easel.bottom, easel.between(0.05, 0.1)
        shape = _figure(easel, float(x), top, width * (0.6 + 0.6 * near))
        paint = over(paint, easel.palette.ground[0], (0.4 + 0.6 * near) * blurred(shape, 5 * (1.2 - near)))
        if easel.chance(0.55):
            eyes = easel.stencil()
            for side in (-1, 1):
                ends = [[x + side * 0.12 * width, top + 0.055], [x + side * 0.36 * width, top + 0.047]]
                eyes.line(np.array(ends), 0.005)
            slits = eyes.mask()
            paint = lit(paint, easel.palette.accent[0], 0.85 * slits + 1.2 * blurred(slits, 4))
    return shaded(paint, 0.8 + 0.3 * fog)


def _figure(easel: Easel, x: float, top: float, width: float) -> Field:
    stencil = easel.stencil()
    down = np.linspace(top, easel.bottom + 0.1, 14)
    path = np.stack([x + np.cumsum(easel.rng.normal(0, 0.006, 14)), down], axis=1)
    profile = np.array([0.2, 0.75, 0.85, 0.55, 1.2, 1.5, 1.5, 1.4, 1.4, 1.5, 1.6, 1.7, 1.9, 2.1])
    stencil.ribbon(path, width * profile * easel.rng.uniform(0.9, 1.1, 14))
    return stencil.mask()


def _branch(easel: Easel, sheet: Sheet, root: Points, angle: float, length: float, width: float) -> None:
    bends = angle + np.cumsum(easel.rng.normal(0, 0.16, 7))
    steps = length / 7 * np.stack([np.cos(bends), np.sin(bends)], axis=1)
    path = np.concatenate([root[None], root + np.cumsum(steps, axis=0)])
    sheet.ribbon(path, np.linspace(width, 0.3 * width, 8), easel.palette.accent[2])
    if length < 0.07 or width < 0.002:
        return
    for k in easel.rng.choice(np.arange(2, 8), size=3, replace=False):
        fork = float(bends[k - 1]) + easel.between(0.35, 0.9) * (1 if easel.chance(0.5) else -1)
        _branch(easel, sheet, path[k], fork, length * easel.between(0.4, 0.62), width * 0.5)


COMPOSITIONS = (corridor, branches, web, abyss, watchers)
