"""Drawing with SVG elements: escaped, with classes instead of colours, so that a theme can repaint them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

Attribute = str | float | None


def element(name: str, *children: str, **attributes: Attribute) -> Markup:
    """One element; `class_` becomes class, `text_anchor` text-anchor; None is left out, text is escaped."""
    pairs = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value))
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(name, pairs, Markup("").join(children))


def drawing(width: float, height: float, label: str, *children: str, class_: str = "plot") -> Markup:
    """An svg that scales to its container; `label` is what a screen reader says."""
    view = f"0 0 {_short(width)} {_short(height)}"
    return element("svg", *children, viewBox=view, class_=class_, role="img", aria_label=label)


def label(x: float, y: float, content: str, anchor: str = "middle", class_: str | None = None) -> Markup:
    """A line of text."""
    return element("text", content, x=x, y=y, text_anchor=anchor, class_=class_)


@dataclass(frozen=True)
class Frame:
    """A plot area inside a drawing: data to pixels, grid and lines."""

    width: float
    height: float
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)
    left: float = 34.0
    top: float = 8.0
    right: float = 10.0
    bottom: float = 34.0

    def px(self, x: float) -> float:
        """Horizontal pixel of a value."""
        low, high = self.x
        return self.left + (x - low) / ((high - low) or 1.0) * (self.width - self.left - self.right)

    def py(self, y: float) -> float:
        """Vertical pixel of a value."""
        low, high = self.y
        return self.height - self.bottom - (y - low) / ((high - low) or 1.0) * (self.height - self.top - self.bottom)

    def line(self, points: Iterable[tuple[float, float]], class_: str) -> Markup:
        """A polyline through data points."""
        pixels = " ".join(f"{_short(self.px(x))},{_short(self.py(y))}" for x, y in points)
        return element("polyline", points=pixels, class_=class_)

    def bar(self, x0: float, x1: float, y: float, class_: str, tooltip: str) -> Markup:
        """A bar from the axis up to y, with one pixel of air on both sides."""
        top = self.py(y)
        left, right = self.px(x0) + 1, self.px(x1) - 1
        height = self.height - self.bottom - top
        title = element("title", tooltip)
        return element("rect", title, x=left, y=top, width=right - left, height=height, class_=class_)

    def grid(self, x_ticks: Sequence[float], y_ticks: Sequence[float], x_name: str = "", y_name: str = "") -> Markup:
        """Grid lines, tick labels and the names of the axes."""
        floor = self.height - self.bottom
        parts = []
        for y in y_ticks:
            parts.append(self.line(((self.x[0], y), (self.x[1], y)), "grid"))
            parts.append(label(self.left - 5, self.py(y) + 3.5, f"{y:g}", "end", "tick"))
        parts += [label(self.px(x), floor + 14, f"{x:g}", class_="tick") for x in x_ticks]
        parts.append(label((self.left + self.width - self.right) / 2, floor + 29, x_name, class_="axis"))
        parts.append(label(self.left + 4, self.top + 9, y_name, "start", "axis"))
        return Markup("").join(parts)


def _short(value: Attribute) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
