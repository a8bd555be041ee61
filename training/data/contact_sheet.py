"""A few pictures of each emotion on one sheet, to see with one's own eyes what the labels mean."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from emotion.console import progress
from emotion.errors import PictureError
from emotion.images import decode, read_picture_bytes
from emotion.taxonomy import Taxonomy
from training.data.samples import Sample

COLUMNS = 8
TILE_PX, GAP_PX = 112, 6
INK, PAPER, EMPTY = "#1f1d1a", "#ffffff", "#ece9e4"


def write_contact_sheet(path: Path, samples: Sequence[Sample], taxonomy: Taxonomy) -> None:
    """Write a PNG with a row for each emotion: its name, its number of pictures, eight of them spread over all.

    Pictures are shown whole. The same pictures give the same sheet.
    """
    step, font = TILE_PX + GAP_PX, ImageFont.load_default(size=17)
    left = 4 * GAP_PX + round(max(font.getlength(name) for name in taxonomy.names))
    sheet = Image.new("RGB", (left + COLUMNS * step, len(taxonomy.names) * step + GAP_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    by_label = [
        sorted((s for s in samples if s.label == label), key=lambda s: s.path) for label in range(len(taxonomy.names))
    ]
    with progress("contact sheet", len(taxonomy.names), "emotions") as advance:
        for row, (name, mine) in enumerate(zip(taxonomy.names, by_label, strict=True)):
            top = GAP_PX + row * step
            draw.text((GAP_PX, top + TILE_PX // 2), f"{name}\n{len(mine)}", fill=INK, font=font, anchor="lm")
            for column, sample in enumerate(_spread(mine)):
                sheet.paste(_tile(sample.path), (left + column * step, top))
            advance(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _spread(samples: Sequence[Sample]) -> list[Sample]:
    """At most eight, at equal steps: the first ones by name are often of one source."""
    n = min(len(samples), COLUMNS)
    return [samples[place * len(samples) // n] for place in range(n)]


def _tile(path: Path) -> Image.Image:
    try:
        picture = decode(read_picture_bytes(path), min_side=TILE_PX, name=str(path))
    except PictureError:
        return Image.new("RGB", (TILE_PX, TILE_PX), EMPTY)
    return ImageOps.pad(picture, (TILE_PX, TILE_PX), Image.Resampling.LANCZOS, color=EMPTY)
