"""Draw the pictures of docs/explanation, as SVG that follows the reader's light or dark. Run: python docs/figures.py"""

import math
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Final

from emotion.taxonomy import MIKELS, Polarity

FOLDER: Final = Path(__file__).parent / "images" / "explanation"
_STYLE: Final = """
text{font:14px system-ui,sans-serif;fill:#1f2430}
.small{font-size:12px;fill:#5b6472}.bold{font-weight:600}.middle{text-anchor:middle}
.box{fill:#eef2f7;stroke:#8b95a5}.warm{fill:#fbe3cf;stroke:#c2712a}.cold{fill:#d6e6f7;stroke:#2f6aa8}
.line{fill:none;stroke:#5b6472;stroke-width:1.5}.dash{stroke-dasharray:5 4}.dot{fill:#1f2430}.tip{fill:#5b6472}
@media (prefers-color-scheme:dark){
text{fill:#e6e9ef}.small{fill:#a7b0bf}
.box{fill:#2a3140;stroke:#6f7a8c}.warm{fill:#5a3a1e;stroke:#e0975a}.cold{fill:#1e3a57;stroke:#6aa8e0}
.line{stroke:#a7b0bf}.dot{fill:#e6e9ef}.tip{fill:#a7b0bf}
}
"""


class Drawing:
    """Shapes on a sheet; sizes in pixels."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.size = (width, height)
        self.title = title
        self._shapes: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, *lines: str, kind: str = "box") -> None:
        """A rounded rectangle with lines of text in its middle, the first one bold."""
        self._shapes.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>')
        top = y + height / 2 + 5 - 9 * (len(lines) - 1)
        for number, text in enumerate(lines):
            look = "middle bold" if number == 0 else "middle small"
            self.text(x + width / 2, top + 18 * number, text, look)

    def text(self, x: float, y: float, text: str, look: str = "") -> None:
        """A line of text; `look` is one or more of small, bold, middle."""
        self._shapes.append(f'<text class="{look}" x="{x:g}" y="{y:g}">{escape(text)}</text>')

    def arrow(self, *points: tuple[float, float], look: str = "line") -> None:
        """A line through the points with a tip at the last."""
        self.path(*points, look=look)
        (x0, y0), (x1, y1) = points[-2:]
        turn = math.degrees(math.atan2(y1 - y0, x1 - x0))
        tip = f'<path class="tip" d="M0 0L-9 -4.5V4.5Z" transform="translate({x1:g} {y1:g}) rotate({turn:g})"/>'
        self._shapes.append(tip)

    def path(self, *points: tuple[float, float], look: str = "line") -> None:
        """A line through the points."""
        self._shapes.append(f'<path class="{look}" d="M{"L".join(f"{x:g} {y:g}" for x, y in points)}"/>')

    def circle(self, x: float, y: float, radius: float, look: str) -> None:
        """A circle."""
        self._shapes.append(f'<circle class="{look}" cx="{x:g}" cy="{y:g}" r="{radius:g}"/>')

    def svg(self) -> str:
        """The whole file."""
        width, height = self.size
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">'
        lines = (head, f"<title>{escape(self.title)}</title>", f"<style>{_STYLE}</style>", *self._shapes, "</svg>")
        return "\n".join(lines) + "\n"


def sentiment_vector() -> Drawing:
    """From a picture to 680 numbers."""
    sheet = Drawing(
        880, 330, "Five maps of the network, each reduced to 16, multiplied with itself, joined to 680 numbers"
    )
    sheet.box(10, 120, 90, 80, "picture", "224 x 224")
    sheet.text(165, 28, "backbone", "middle bold")
    for number in range(5):
        side, y = 52 - 8 * number, 45 + 56 * number
        sheet.box(165 - side / 2, y + 25 - side / 2, side, side, kind="cold")
        sheet.arrow((100, 160), (124, 160), (124, y + 25), (165 - side / 2, y + 25))
        sheet.arrow((165 + side / 2, y + 25), (236, y + 25))
        sheet.box(236, y + 5, 104, 40, "16 maps")
        sheet.arrow((340, y + 25), (384, y + 25))
        sheet.box(384, y + 5, 150, 40, "Gram: 136 values")
        sheet.arrow((534, y + 25), (578, y + 25))
        sheet.box(578, y + 5, 90, 40, "length 1")
        sheet.arrow((668, y + 25), (696, y + 25), (696, 182), (724, 182))
    for x, text in ((288, "1x1 convolution"), (459, "every map with every"), (623, "each level")):
        sheet.text(x, 28, text, "middle small")
    sheet.box(724, 142, 146, 80, "680 numbers", "5 x 136, length 1", kind="warm")
    return sheet


def sentiment_constraint() -> Drawing:
    """Who has to be nearer than whom, and the wheel that weighs the distances."""
    sheet = Drawing(
        880, 380, "Same emotion nearer than same polarity, same polarity nearer than the opposite; Mikels' wheel"
    )
    x, y = 220, 200
    for radius, look in ((80, "line"), (125, "line dash"), (170, "line dash")):
        sheet.circle(x, y, radius, look)
    sheet.circle(x, y, 5, "dot")
    sheet.text(x, y + 24, "anchor: awe", "middle bold")
    for angle, radius, text, look in (
        (-70, 62, "p: awe", "box"),
        (-125, 112, "r: amusement", "warm"),
        (-30, 158, "n: fear", "cold"),
    ):
        px, py = x + radius * math.cos(math.radians(angle)), y + radius * math.sin(math.radians(angle))
        sheet.circle(px, py, 8, look)
        sheet.text(px + 12, py + 5, text)
    for radius, text in ((104, "margin 1"), (149, "margin 2")):
        sheet.text(x, y + radius + 4, text, "middle small")
    sheet.text(x, 24, "nearer, by a margin each", "middle bold")
    _wheel(sheet, 650, 205)
    return sheet


def _wheel(sheet: Drawing, x: float, y: float) -> None:
    sheet.text(x, 24, "distance on the wheel, from awe", "middle bold")
    names = MIKELS.wheel or ()
    for number, name in enumerate(names):
        angle = math.radians(-90 + 360 / len(names) * number)
        px, py = x + 150 * math.cos(angle), y + 140 * math.sin(angle)
        kind = "warm" if MIKELS.polarity_of(name) is Polarity.POSITIVE else "cold"
        sheet.box(px - 52, py - 19, 104, 38, name, str(MIKELS.dis("awe", name)), kind=kind)
    sheet.text(x, y - 4, "the larger, the less", "middle small")
    sheet.text(x, y + 14, "a distance counts", "middle small")


def probe_start() -> Drawing:
    """What the filters hold before training."""
    sheet = Drawing(
        880, 320, "A linear probe's evidence becomes the filters of the deepest level; the other levels are quiet"
    )
    sheet.box(10, 60, 150, 70, "frozen backbone", "ImageNet's weights")
    sheet.arrow((160, 95), (210, 95))
    sheet.box(210, 60, 160, 70, "pooled features", "1,280 a picture")
    sheet.arrow((370, 95), (420, 95))
    sheet.box(420, 60, 180, 70, "logistic regression", "8 rows of 1,280 weights", kind="warm")
    sheet.arrow((600, 95), (660, 95))
    sheet.box(660, 60, 205, 70, "class head", "the same 8 rows")
    sheet.arrow((510, 130), (510, 178))
    deepest = ("8: evidence for each emotion", "2: plus and minus polarity", "6: almost nothing")
    sheet.box(380, 178, 260, 112, "filters of the deepest level", *deepest, kind="warm")
    early = ("constant: they add nothing to a distance", "until training finds what is worth adding")
    sheet.box(30, 192, 290, 84, "filters of the four early levels", *early)
    sheet.text(20, 36, "before the first step", "bold")
    return sheet


def architecture() -> Drawing:
    """Who writes what and who reads it."""
    sheet = Drawing(880, 400, "The trainer writes a bundle, the index build writes a store, the service reads both")
    sheet.box(20, 40, 160, 60, "labelled photos")
    sheet.arrow((180, 70), (240, 70))
    sheet.box(240, 40, 170, 60, "training", "PyTorch", kind="warm")
    sheet.arrow((410, 70), (470, 70))
    sheet.box(470, 40, 190, 60, "bundle", "weights, ONNX, facts")
    sheet.box(20, 170, 160, 60, "gallery", "your folders")
    sheet.arrow((180, 200), (240, 200))
    sheet.box(240, 170, 170, 60, "index build", "OpenVINO or CUDA", kind="warm")
    sheet.arrow((410, 200), (470, 200))
    sheet.box(470, 160, 190, 80, "store", "snapshots, CURRENT,", "catalog, uploads")
    sheet.arrow((500, 100), (500, 130), (325, 130), (325, 170))
    sheet.box(470, 300, 190, 70, "service", "FastAPI, FAISS", kind="cold")
    sheet.arrow((565, 240), (565, 300))
    sheet.arrow((660, 70), (770, 70), (770, 335), (660, 335))
    sheet.text(692, 58, "loads", "small")
    sheet.text(575, 275, "follows CURRENT", "small")
    sheet.box(20, 305, 160, 60, "browser, curl")
    sheet.arrow((180, 335), (470, 335))
    sheet.text(325, 325, "HTTP", "middle small")
    sheet.arrow((485, 300), (485, 268), (345, 268), (345, 230), look="line dash")
    sheet.text(350, 288, "rebuild: starts", "small")
    return sheet


def way_of_a_picture() -> Drawing:
    """What happens between a request and its answer."""
    sheet = Drawing(
        880,
        190,
        "A request: counted while it arrives, decoded in a pool, batched by the model, searched in one snapshot",
    )
    steps = (
        ("receive", "bytes counted", "box"),
        ("decode", "pool of threads", "box"),
        ("prepare", "as bundle.json says", "box"),
        ("model", "one lane, batches", "warm"),
        ("search", "one snapshot", "cold"),
        ("answer", "", "box"),
    )
    for number, (name, about, kind) in enumerate(steps):
        x = 8 + 147 * number
        sheet.box(x, 40, 126, 64, name, *([about] if about else []), kind=kind)
        if number:
            sheet.arrow((x - 21, 72), (x, 72))
    for number, text in (
        (0, "too many: 413, 503"),
        (1, "no picture: 415, 422"),
        (3, "queue full: 503"),
    ):
        x = 8 + 147 * number + 63
        sheet.arrow((x, 104), (x, 138), look="line dash")
        sheet.text(x, 156, text, "middle small")
    return sheet


FIGURES: Final[Mapping[str, Callable[[], Drawing]]] = {
    "sentiment-vector.svg": sentiment_vector,
    "sentiment-constraint.svg": sentiment_constraint,
    "probe-start.svg": probe_start,
    "architecture.svg": architecture,
    "way-of-a-picture.svg": way_of_a_picture,
}
"""By file name."""

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file_name, draw in FIGURES.items():
        (FOLDER / file_name).write_text(draw().svg(), encoding="utf-8")
