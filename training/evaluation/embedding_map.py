"""The embedding laid flat: near on the map is near for the model, as far as two dimensions can show it."""

import numpy as np
from jaxtyping import Float32, Float64, Int64
from markupsafe import Markup
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from emotion.taxonomy import Taxonomy
from training.evaluation.evaluate import Scored
from training.evaluation.palette import MARKERS, Style
from training.evaluation.svg import Frame, drawing, element

MAX_POINTS = 2000
TSNE_FROM = 12
"""Below this many pictures t-SNE has nothing to unfold, and principal components are drawn."""
SIDE_PX = 640


def choose_rows(n: int, rng: np.random.Generator) -> Int64[np.ndarray, "p"]:
    """All rows, or a random 2000 of them."""
    return np.arange(n) if n <= MAX_POINTS else np.sort(rng.choice(n, MAX_POINTS, replace=False))


def project(embeddings: Float32[np.ndarray, "n d"]) -> tuple[Float64[np.ndarray, "n 2"], str]:
    """Two dimensions in 0..1 and the method's name; seeded, so the same embedding gives the same map."""
    flat = _principal(embeddings)
    spread = flat.std(axis=0).max() if len(flat) else 0.0
    if len(flat) < TSNE_FROM or spread < 1e-9:
        return _unit_square(flat), "principal components"
    perplexity = min(30.0, (len(flat) - 1) / 3)
    start = (flat / spread * 1e-4).astype(np.float32)
    # One thread: repeatable to the last bit, and many times faster than two that fight with a training for the cores.
    with threadpool_limits(1):
        moved = TSNE(perplexity=perplexity, init=start, learning_rate="auto", random_state=0).fit_transform(embeddings)
    return _unit_square(np.asarray(moved, dtype=np.float64)), f"t-SNE, perplexity {perplexity:.0f}"


def draw_map(
    flat: Float64[np.ndarray, "p 2"],
    rows: Int64[np.ndarray, "p"],
    scored: Scored,
    taxonomy: Taxonomy,
    shown: tuple[Style, ...],
) -> Markup:
    """A marker a picture: colour and shape by its true emotion, hollow where the head names another."""
    frame = Frame(SIDE_PX, SIDE_PX, left=12, right=12, top=12, bottom=12)
    looks = {style.index: style for style in shown}
    markers = [element("path", d=path, id=f"m-{name}") for name, path in MARKERS.items()]
    parts = [element("defs", *markers)]
    for place, (row, (x, y)) in enumerate(zip(rows.tolist(), flat.tolist(), strict=True)):
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
                data_t=place,
            )
        )
    return drawing(SIDE_PX, SIDE_PX, f"Map of {len(rows)} pictures by their embedding", *parts, class_="plot map")


def answer(true: str, named: str, confidence: float) -> str:
    """What the class head says, in words."""
    return f"named {'right' if true == named else named} ({confidence:.0%})"


def _principal(embeddings: Float32[np.ndarray, "n d"]) -> Float64[np.ndarray, "n 2"]:
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    flat = (u * s)[:, :2]
    return np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))


def _unit_square(flat: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
    """Fit into 0..1, both axes by one scale, centred."""
    middle = (flat.max(axis=0) + flat.min(axis=0)) / 2
    span = float(np.ptp(flat, axis=0).max()) or 1.0
    return np.asarray((flat - middle) / span + 0.5)
