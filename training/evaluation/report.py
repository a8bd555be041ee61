"""The evaluation as one HTML file that carries its pictures, style and script with it and asks no other address."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from emotion.bundle import BundleManifest
from emotion.console import progress
from emotion.taxonomy import Taxonomy
from training.evaluation.embedding_map import choose_rows, draw_map, project
from training.evaluation.evaluate import Evaluation, Scored
from training.evaluation.examples import MAX_PANELS, confused_pairs, panels
from training.evaluation.figures import Row, loss_curves, precision_recall, reliability, validation_curves
from training.evaluation.intervals import RESAMPLES
from training.evaluation.palette import MARKERS, Style, styles
from training.evaluation.ranking import Ranking, precision_at_recall, ranking
from training.evaluation.tables import class_rows, confusion_rows, finding_tiles, naming_tiles
from training.evaluation.thumbnails import LARGE_PX, Thumbnails

SEED = 0
MAX_MAP_THUMBNAILS = 600


def write_report(
    path: Path,
    *,
    bundle_manifest: BundleManifest,
    evaluation: Evaluation,
    queries: Scored,
    gallery: Scored | None,
    data_name: str,
    history: Sequence[Row] = (),
    intervals: bool = True,
) -> None:
    """Write the report of an evaluation.

    Args:
        path: the HTML file; its folder is made, an existing file replaced.
        bundle_manifest: the model that was judged.
        evaluation: its figures, from these queries and this gallery.
        queries: the pictures that were classified and that ask.
        gallery: the pictures that are searched; None for leave-one-out among the queries.
        data_name: how the page calls the data.
        history: epochs of the training, if known: `training.loop.EpochRecord` as dicts.
        intervals: whether to bootstrap 95 % intervals (seconds at thousands of queries).
    """
    numbers = _numbers(bundle_manifest.taxonomy, evaluation, queries, gallery, intervals)
    page = numbers | {
        "bundle": bundle_manifest,
        "data_name": data_name,
        "markers": MARKERS,
        "summary": summary(evaluation, queries, data_name),
        "protocol": protocol(queries, gallery, intervals),
        "notes": overlap_notes(bundle_manifest, queries, gallery),
        "training": [figure for figure in (loss_curves(history), validation_curves(history)) if figure is not None],
        "figures": json.dumps(_jsonable(evaluation.figures()), indent=1),
        "large_px": LARGE_PX,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_environment().get_template("report.html.j2").render(page), encoding="utf-8")


def summary(evaluation: Evaluation, queries: Scored, data_name: str) -> str:
    """The findings in a sentence or two."""
    n, c = len(queries.labels), evaluation.classification
    text = f"Of {n} picture{'s' * (n != 1)} of {data_name}, the model names the emotion of {c.accuracy:.0%} right"
    if not math.isnan(c.accuracy_polarity):
        text += f" and the polarity of {c.accuracy_polarity:.0%}"
    nearest = evaluation.sv.by_emotion.nn
    if not math.isnan(nearest):
        text += f". For {nearest:.0%} the nearest picture by sentiment vector shows the same emotion"
    return text + "."


def protocol(queries: Scored, gallery: Scored | None, intervals: bool) -> str:
    """How it was measured."""
    n = len(queries.labels)
    if gallery is None:
        text = f"Leave-one-out: each of {n} pictures is the query once and the other {max(n - 1, 0)} are searched"
    else:
        text = f"Queries against a gallery: each of {n} pictures searches {len(gallery.labels)} others"
    text += "; Euclidean distance, ties by content hash; queries without a relevant picture are left out of the means."
    if intervals:
        text += f" In brackets, 95 % bootstrap intervals over queries ({RESAMPLES} resamples, seed {SEED})."
    return text


def overlap_notes(bundle_manifest: BundleManifest, queries: Scored, gallery: Scored | None) -> list[str]:
    """Warnings about pictures that were trained on, or that would find themselves."""
    trained = set(bundle_manifest.training_hashes)
    asked = [sample.digest for sample in queries.samples]
    found = []
    if not trained:
        found.append("The bundle does not list its training pictures, so an overlap with these cannot be ruled out.")
    elif n := sum(digest in trained for digest in asked):
        found.append(f"{n} of the {len(asked)} queries were trained on: the figures flatter the model.")
    if gallery is not None:
        held = {sample.digest for sample in gallery.samples}
        if n := len(held & trained):
            found.append(f"{n} of the {len(held)} gallery pictures were trained on: retrieval is flattered.")
        if n := sum(digest in held for digest in asked):
            found.append(f"{n} of the queries are in the gallery too and find themselves first.")
    return found


def _numbers(
    taxonomy: Taxonomy, evaluation: Evaluation, queries: Scored, gallery: Scored | None, intervals: bool
) -> dict[str, Any]:
    """Everything on the page that is drawn or reckoned from the predictions."""
    shown, thumbnails = styles(taxonomy), Thumbnails()
    rng = np.random.default_rng(SEED) if intervals else None
    sv = ranking(queries, gallery, taxonomy, "embeddings")
    probs = ranking(queries, gallery, taxonomy, "probs")
    return {
        "styles": shown,
        "naming": naming_tiles(evaluation, queries, taxonomy, rng),
        "finding": finding_tiles(evaluation, sv, probs, len(taxonomy.emotions), rng),
        "confusion": confusion_rows(evaluation, shown),
        "classes": class_rows(evaluation, queries, sv, probs, shown),
        "curves": _recall_figures(queries, sv, probs, shown),
        "reliability": reliability(queries.probs, queries.labels, evaluation.classification.ece),
        "panels": panels(queries, gallery or queries, taxonomy, sv, thumbnails, shown),
        "max_panels": MAX_PANELS,
        "pairs": confused_pairs(evaluation, queries, taxonomy, thumbnails),
    } | _map(queries, taxonomy, shown, thumbnails)


def _recall_figures(queries: Scored, sv: Ranking, probs: Ranking, shown: Sequence[Style]) -> list[dict[str, Any]]:
    found = []
    for style in shown:
        mine = queries.labels == style.index
        relevant = sv.by_emotion[mine]
        able = relevant[relevant.any(axis=1)]
        chance = float(able.mean()) if len(able) else math.nan
        levels = precision_at_recall(relevant), precision_at_recall(probs.by_emotion[mine])
        found.append({"style": style, "svg": precision_recall(style.name, *levels, chance), "n": len(able)})
    return found


def _map(queries: Scored, taxonomy: Taxonomy, shown: tuple[Style, ...], thumbnails: Thumbnails) -> dict[str, Any]:
    rows = choose_rows(len(queries.labels), np.random.default_rng(SEED))
    flat, method = project(queries.embeddings[rows])
    uris = []
    with progress("report", min(len(rows), MAX_MAP_THUMBNAILS), "thumbnails") as advance:
        for row in rows[:MAX_MAP_THUMBNAILS].tolist():
            uris.append(thumbnails.small(queries.samples[row].path))
            advance(1)
    return {
        "map": draw_map(flat, rows, queries, taxonomy, shown),
        "map_method": method,
        "map_n": len(rows),
        "thumbnails": uris,
    }


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["percent"] = lambda share: "–" if math.isnan(share) else f"{share:.0%}"
    environment.tests["known"] = lambda value: value is not None and not math.isnan(value)
    return environment


def _number(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def _jsonable(figures: Mapping[str, Any]) -> dict[str, Any]:
    """NaN is no JSON."""
    return {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in figures.items()}
