"""Order, colour and marker of each emotion in the report.

Mikels' eight have a palette of their own: the positive ones warm, the negative ones cool, each with one colour for a
light and one for a dark page, all at 3:1 or more against it. Inside a side the marker's shape tells the emotions apart
too, so that no reading depends on colour alone.
"""

from dataclasses import dataclass

from emotion.taxonomy import Polarity, Taxonomy

MARKERS = {
    "circle": "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0",
    "square": "M-4,-4h8v8h-8z",
    "triangle": "M0,-5L5,4H-5z",
    "diamond": "M0,-5.6L5.6,0L0,5.6L-5.6,0z",
}
"""Paths about the origin, alike in area."""

_MIKELS = {
    "amusement": ("#9a6b00", "#f2c14b"),
    "contentment": ("#d4570a", "#ff9a52"),
    "awe": ("#c8358f", "#ff85c8"),
    "excitement": ("#c9251a", "#ff6b5e"),
    "fear": ("#6e3fc4", "#b79bff"),
    "sadness": ("#1f6fd6", "#6fb1ff"),
    "disgust": ("#0b7a6b", "#3fd0b6"),
    "anger": ("#3b4252", "#c4cbd8"),
}
_HUES = {Polarity.POSITIVE: (350.0, 115.0), Polarity.NEGATIVE: (165.0, 140.0), None: (310.0, 35.0)}
"""First hue and width of each side's arc, in degrees, for label sets without a palette of their own."""


@dataclass(frozen=True)
class Style:
    """How one emotion looks; `index` is its place in the taxonomy."""

    index: int
    name: str
    side: str
    """positive, negative, or empty for neither."""
    light: str
    dark: str
    marker: str


def display_order(taxonomy: Taxonomy) -> list[int]:
    """Emotions round the wheel; without a wheel the positive ones, the negative ones, then those without a side."""
    if taxonomy.wheel is not None:
        return [taxonomy.index(name) for name in taxonomy.wheel]
    ranks = {Polarity.POSITIVE: 0, Polarity.NEGATIVE: 1, None: 2}
    return sorted(range(len(taxonomy.emotions)), key=lambda i: ranks[taxonomy.emotions[i].polarity])


def styles(taxonomy: Taxonomy) -> tuple[Style, ...]:
    """One style an emotion, in display order."""
    order = display_order(taxonomy)
    by_side: dict[Polarity | None, list[int]] = {}
    for i in order:
        by_side.setdefault(taxonomy.emotions[i].polarity, []).append(i)
    own = set(taxonomy.names) <= set(_MIKELS)
    found = []
    for i in order:
        emotion = taxonomy.emotions[i]
        group = by_side[emotion.polarity]
        place = group.index(i)
        light, dark = _MIKELS[emotion.name] if own else _generic(emotion.polarity, place, len(group), len(by_side))
        marker = list(MARKERS)[place % len(MARKERS)]
        found.append(Style(i, emotion.name, str(emotion.polarity or ""), light, dark, marker))
    return tuple(found)


def _generic(side: Polarity | None, place: int, n: int, n_sides: int) -> tuple[str, str]:
    start, width = _HUES[side] if n_sides > 1 else (20.0, 330.0)
    hue = (start + width * place / max(n - 1, 1)) % 360
    return f"oklch(54% .16 {hue:.0f})", f"oklch(78% .13 {hue:.0f})"
