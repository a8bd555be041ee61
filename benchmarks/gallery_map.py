"""How well the map of a gallery keeps neighbours: `python -m benchmarks.gallery_map --store STORE`.

For docs/map.md; not part of `make bench`. Prints, for principal components and t-SNE of so many landmarks, the share
of the 10 nearest pictures that are among the 10 nearest on the map, how often these feel the same as their picture
(label, or predicted emotion where the gallery has no labels), and the processor time that the layout took.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from jaxtyping import Float32, Int64

from emotion.command_line import run
from emotion.console import say
from index.directions import main_directions
from index.lookups import said_of
from index.projection import MAX_LANDMARKS, lay_flat
from index.recall import RECALL_AT, RecallProbe
from index.store import SnapshotStore

app = typer.Typer(add_completion=False)


@app.command()
def main(
    store: Annotated[Path, typer.Option(help="A store with a published index.")],
    landmarks: Annotated[list[int] | None, typer.Option(help="How many t-SNE lays out; may be given again.")] = None,
) -> None:
    """Measure and print."""
    opened = SnapshotStore(store)
    snapshot = opened.load()
    said = said_of(opened.catalog, snapshot.ids)
    labels = [one.label if (one := said.get(item_id)) else None for item_id in snapshot.ids]
    felt = snapshot.rows.probabilities.argmax(axis=1)
    groups = felt if None in labels else np.unique([str(label) for label in labels], return_inverse=True)[1]
    vectors, probe = snapshot.rows.vectors, RecallProbe.draw(snapshot.vectors)
    say(f"{len(vectors)} pictures; of the 10 nearest by the model {purity(vectors, groups, probe):.3f} feel the same")
    flat = main_directions(vectors, 2).project(vectors)
    say(f"principal components: {_judged(flat, groups, probe)}")
    for most in landmarks or [MAX_LANDMARKS]:
        start = time.process_time()
        layout = lay_flat(vectors, most_landmarks=most)
        spent = time.process_time() - start
        say(f"{layout.method} of {layout.n_landmarks}: {_judged(layout.positions, groups, probe)}, {spent:.1f} s")


def purity(points: Float32[np.ndarray, "n d"], groups: Int64[np.ndarray, "n"], probe: RecallProbe) -> float:
    """Share of the 10 nearest of the probe's pictures that are of their picture's group."""
    shares = []
    for row in probe.rows.tolist():
        squared = np.square(points - points[row]).sum(axis=1)
        squared[row] = np.inf
        nearest = np.argpartition(squared, RECALL_AT - 1)[:RECALL_AT]
        shares.append((groups[nearest] == groups[row]).mean())
    return float(np.mean(shares))


def _judged(flat: Float32[np.ndarray, "n 2"], groups: Int64[np.ndarray, "n"], probe: RecallProbe) -> str:
    return f"keeps {probe.kept(flat):.3f} of the 10 nearest, of the map's 10 nearest {purity(flat, groups, probe):.3f}"


if __name__ == "__main__":
    run(app)
