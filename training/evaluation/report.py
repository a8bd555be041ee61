"""The evaluation as one HTML file that carries its pictures, style and script with it and asks no other address."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from emotion.bundle import BundleManifest
from emotion.console import progress
from emotion.taxonomy import Taxonomy
from training.evaluation.calibration import calibrate, rescale, rescale_by_others
from training.evaluation.classification import expected_calibration_error
from training.evaluation.embedding_map import FOLD_SIDE_PX, MAX_POINTS, SIDE_PX, choose_rows, draw_map, project
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
PARTS = 5
"""Of one set of pictures, for a temperature that is judged on pictures that it was not found on."""


class Judgement(NamedTuple):
    """What a report shows: predictions, what they searched, and the figures."""

    queries: Scored
    database: Scored
    evaluation: Evaluation
    sv: Ranking
    probs: Ranking


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
    sv = ranking(queries, gallery, bundle_manifest.taxonomy, "embeddings")
    probs = ranking(queries, gallery, bundle_manifest.taxonomy, "probs")
    judged = Judgement(queries, gallery or queries, evaluation, sv, probs)
    page = numbers(bundle_manifest, judged, None, intervals) | common(bundle_manifest, judged, data_name, history)
    page |= {
        "protocol": protocol(queries, gallery, intervals),
        "notes": overlap_notes(bundle_manifest, queries, gallery),
        "folds": (),
    }
    render(path, page)


def summary(evaluation: Evaluation, queries: Scored, data_name: str) -> str:
    """The findings in a sentence or two."""
    n, c = len(queries.labels), evaluation.classification
    text = f"Of {n} picture{'s' * (n != 1)} of {data_name}, the model names the emotion of {c.accuracy:.0%} right"
    if not math.isnan(c.accuracy_polarity):
        text += f" and the polarity of {c.accuracy_polarity:.0%}"
    nearest = evaluation.sv.by_emotion.nn
    if not math.isnan(nearest):
        text += f". For {nearest:.0%} the nearest picture by embedding shows the same emotion"
    if queries.familiarity is not None and queries.unfamiliar is not None:
        text += f". {queries.unfamiliar.mean():.0%} are unlike what the model learnt from"
        text += f" (mean familiarity {queries.familiarity.mean():.2f}; .50 is ordinary)"
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


def numbers(
    bundle_manifest: BundleManifest, judged: Judgement, names: Sequence[str] | None, intervals: bool
) -> dict[str, Any]:
    """Everything on the page that is drawn or reckoned from the predictions; `names` are those of the folds."""
    taxonomy, queries, evaluation = bundle_manifest.taxonomy, judged.queries, judged.evaluation
    sv, probs = judged.sv, judged.probs
    shown, thumbnails = styles(taxonomy), Thumbnails()
    rng = np.random.default_rng(SEED) if intervals else None
    return {
        "styles": shown,
        "naming": naming_tiles(evaluation, queries, taxonomy, rng),
        "finding": finding_tiles(evaluation, sv, probs, len(taxonomy.emotions), rng),
        "confusion": confusion_rows(evaluation, shown),
        "classes": class_rows(evaluation, queries, sv, probs, shown),
        "curves": _recall_figures(queries, sv, probs, shown),
        "calibration": calibration_figures(judged, bundle_manifest.temperature, names is not None),
        "panels": panels(queries, judged.database, taxonomy, sv, thumbnails, shown),
        "max_panels": MAX_PANELS,
        "pairs": confused_pairs(evaluation, queries, taxonomy, thumbnails),
    } | _maps(judged, names, taxonomy, shown, thumbnails)


def common(
    bundle_manifest: BundleManifest, judged: Judgement, data_name: str, history: Sequence[Row]
) -> dict[str, Any]:
    """The words and the facts that every report has."""
    return {
        "bundle": bundle_manifest,
        "data_name": data_name,
        "has_polarity": judged.evaluation.has_polarity,
        "markers": MARKERS,
        "summary": summary(judged.evaluation, judged.queries, data_name),
        "training": [figure for figure in (loss_curves(history), validation_curves(history)) if figure is not None],
        "figures": json.dumps(_jsonable(judged.evaluation.figures()), indent=1),
        "large_px": LARGE_PX,
    }


def render(path: Path, page: Mapping[str, Any]) -> None:
    """Write the page; its folder is made, an existing file replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    html = environment().get_template("report.html.j2").render(page)
    # File names are bytes, and not all of them are text: such a byte is shown as \udc.., where an error would cost
    # the report of a whole training.
    path.write_text(html, encoding="utf-8", errors="backslashreplace")


def calibration_figures(judged: Judgement, applied: float, folds: bool) -> dict[str, Any]:
    """Reliability as the model answers, and under a temperature that was found on other pictures.

    Args:
        judged: the predictions.
        applied: the temperature that is in the probabilities already.
        folds: whether "other pictures" are the other folds; else fifths of the pictures, by the order of their hashes.
    """
    probs, labels = judged.queries.probs, judged.queries.labels
    parts = judged.sv.fold if folds else np.arange(len(labels)) % PARTS
    found = calibrate(probs, labels, parts)
    scaled = rescale_by_others(probs, labels, parts)
    plain = rescale(probs, 1 / applied)
    return {
        "applied": applied,
        "plain_ece": expected_calibration_error(plain, labels),
        "fitting": found.temperature * applied,
        "found": found,
        "others": "folds" if folds else "pictures",
        "before": reliability(probs, labels, found.ece),
        "after": reliability(scaled, labels, found.ece_scaled),
    }


def _recall_figures(queries: Scored, sv: Ranking, probs: Ranking, shown: Sequence[Style]) -> list[dict[str, Any]]:
    found = []
    for style in shown:
        mine = queries.labels == style.index
        relevant = sv.by_emotion[mine]
        chance = sv.only(mine).chance()
        levels = precision_at_recall(relevant), precision_at_recall(probs.by_emotion[mine])
        n = int(relevant.any(axis=1).sum())
        found.append({"style": style, "svg": precision_recall(style.name, *levels, chance), "n": n})
    return found


def _maps(
    judged: Judgement,
    names: Sequence[str] | None,
    taxonomy: Taxonomy,
    shown: tuple[Style, ...],
    thumbnails: Thumbnails,
) -> dict[str, Any]:
    """A map for each model: the embeddings of two folds have no common space."""
    queries, rng = judged.queries, np.random.default_rng(SEED)
    numbers = np.unique(judged.sv.fold).tolist()
    most_points, most_thumbnails = MAX_POINTS // len(numbers), MAX_MAP_THUMBNAILS // len(numbers)
    maps: list[dict[str, Any]] = []
    uris: dict[int, str | None] = {}
    with progress("report", len(queries.labels), "pictures") as advance:
        for number in numbers:
            mine = np.flatnonzero(judged.sv.fold == number)
            rows = mine[choose_rows(len(mine), rng, most_points)]
            flat, method = project(queries.embeddings[rows])
            side_px = SIDE_PX if names is None else FOLD_SIDE_PX
            name = "" if names is None else names[number]
            svg = draw_map(flat, rows, queries, taxonomy, shown, name=name, side_px=side_px)
            maps.append({"svg": svg, "name": name, "method": method, "n": len(rows)})
            uris |= {row: thumbnails.small(queries.samples[row].path) for row in rows[:most_thumbnails].tolist()}
            advance(len(mine))
    return {"maps": maps, "map_n": sum(drawn["n"] for drawn in maps), "thumbnails": uris}


def environment() -> Environment:
    """The templates of this folder, pages and cards."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(("html.j2", "css.j2", "js.j2")),
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
