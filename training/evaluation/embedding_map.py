"""The embedding laid flat: near on the map is near for the model, as far as two dimensions can show it."""

import numpy as np
from jaxtyping import Float32, Float64, Int64
from markupsafe import Markup
from threadpoolctl import threadpool_limits

from emotion.taxonomy import Taxonomy
from index.projection import lay_flat
from training.evaluation.evaluate import Scored
from training.evaluation.palette import Style
from training.evaluation.svg import Frame, drawing, element

MAX_POINTS = 2000
SIDE_PX, FOLD_SIDE_PX = 640, 400
"""Width of a map; of several beside each other the second, so that their markers are not drawn smaller."""
MARGIN_PX = 12.0
MIN_HEIGHT = 0.4
"""Of a map, as a share of its width."""


def choose_rows(n: int, rng: np.random.Generator, most: int = MAX_POINTS) -> Int64[np.ndarray, "p"]:
    """All rows, or a random choice of `most`."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def project(embeddings: Float32[np.ndarray, "n d"]) -> tuple[Float64[np.ndarray, "n 2"], str]:
    """Two dimensions in 0..1 and the method's name, as the gallery's map; the same embedding gives the same map."""
    # One thread: repeatable to the last bit, and not fighting with a training for the cores.
    with threadpool_limits(1):
        layout = lay_flat(embeddings, most_landmarks=len(embeddings))
    return layout.positions.astype(np.float64), layout.method.value


def draw_map(
    flat: Float64[np.ndarray, "p 2"],
    rows: Int64[np.ndarray, "p"],
    scored: Scored,
    taxonomy: Taxonomy,
    shown: tuple[Style, ...],
    *,
    name: str = "",
    side_px: int = SIDE_PX,
) -> Markup:
    """A marker a picture: colour and shape by its true emotion, hollow where the head names another.

    The drawing is as high as the points need, on the scale of its width. The page defines the markers (`m-circle`).
    """
    low, high = float(flat[:, 1].min()), float(flat[:, 1].max())
    extent, middle = max(high - low, MIN_HEIGHT), (high + low) / 2
    height = round(2 * MARGIN_PX + (side_px - 2 * MARGIN_PX) * extent)
    y, margin = (middle - extent / 2, middle + extent / 2), MARGIN_PX
    frame = Frame(side_px, height, y=y, left=margin, top=margin, right=margin, bottom=margin)
    looks = {style.index: style for style in shown}
    parts = []
    for row, (x, y) in zip(rows.tolist(), flat.tolist(), strict=True):
        look = looks[int(scored.labels[row])]
        named = int(scored.probs[row].argmax())
        right = named == look.index
        said = answer(look.name, taxonomy.names[named], float(scored.probs[row, named]))
        parts.append(
            element(
                "use",
                element("title", f"{look.name}, {said} · {scored.samples[row].path.name}"),
                href=f"#m-{look.marker}",
                x=frame.px(x),
                y=frame.py(y),
                class_=f"pt e{look.index}" + ("" if right else " wrong"),
                data_t=row,
            )
        )
    title = f"Map of {len(rows)} pictures by their embedding" + (f", {name}" if name else "")
    return drawing(side_px, height, title, *parts, class_="plot map")


def answer(true: str, named: str, confidence: float) -> str:
    """What the class head says, in words."""
    return f"named {'right' if true == named else named} ({confidence:.0%})"
