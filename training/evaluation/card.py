"""The model card: what a model is for and how good it is, in Markdown, every fact and figure out of the files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from emotion.bundle import MANIFEST_NAME, ONNX_NAME, WEIGHTS_NAME, Bundle, load_bundle
from emotion.errors import DataError
from training.evaluation.calibration import calibrate
from training.evaluation.evaluate import Evaluation, Field, join_scored
from training.evaluation.intervals import RESAMPLES
from training.evaluation.out_of_fold import CrossvalRun, evaluate_folds, read_run
from training.evaluation.paired import as_table as differences_as_table
from training.evaluation.paired import compare
from training.evaluation.palette import styles
from training.evaluation.ranking import Ranking, join, ranking
from training.evaluation.report import SEED, environment
from training.evaluation.robustness import Robustness
from training.evaluation.robustness import as_table as robustness_as_table
from training.evaluation.tables import class_rows, finding_tiles, naming_tiles

MOST_CONFUSED: Final = 5
PAPER_FIGURES: Final = {name: name for name in ("mAP8", "mAP2", "NN", "FT", "ST", "DCG", "ANMRR")} | {
    "P10": "P@10",
    "prob_mAP8": "mAP8, class probabilities as the embedding",
    "prob_mAP2": "mAP2, class probabilities as the embedding",
}
NAME_ONLY: Final = frozenset({"name", "terms", "loop.device", "data.n_workers", "data.cache_mb", "loop.cache_views_gb"})
"""Settings that change no recipe."""


class Confusion(NamedTuple):
    """Pictures of one emotion that were named another."""

    true: str
    named: str
    pictures: int
    share: float


def write_card(
    path: Path, bundle_path: Path, crossval: Path, *, robustness: Path | None = None, baseline: Path | None = None
) -> None:
    """Write the card of a bundle.

    Args:
        path: the Markdown file; its folder is made, an existing file replaced.
        bundle_path: the bundle that the card is of.
        crossval: output of `crossval`, whose models of the same recipe stand for the bundle's quality.
        robustness: the JSON file of `robustness`.
        baseline: output of another `crossval` on the same folds, to compare with.

    Raises BundleError or DataError when a file cannot be read or does not belong to the others.
    """
    bundle, run = load_bundle(bundle_path), read_run(crossval)
    if run.taxonomy.names != bundle.manifest.taxonomy.names:
        raise DataError(f"{crossval} is of other labels than {bundle_path}; name the crossval of the bundle's recipe")
    page = _facts(bundle, run) | _quality(run)
    page["robustness"] = None if robustness is None else robustness_as_table(read_robustness(robustness))
    page["comparison"] = None
    if baseline is not None:
        other = read_run(baseline)
        page["comparison"] = differences_as_table(compare(other, run), *_names(other, run))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(environment().get_template("card.md.j2").render(page) + "\n", encoding="utf-8")


def read_robustness(path: Path) -> list[Robustness]:
    """The rows that `robustness` wrote; raises DataError for any other file."""
    try:
        return [Robustness(**row) for row in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} is no robustness.json of `training robustness`: {error}") from error


def as_toml(config: Mapping[str, Any], prefix: str = "") -> str:
    """A configuration as `--config` reads it; what is not set is left out."""
    lines = [f"{k} = {_value(v)}" for k, v in config.items() if v is not None and not isinstance(v, Mapping)]
    parts = ["\n".join(lines)] if lines else []
    for key, section in config.items():
        if isinstance(section, Mapping):
            name = f"{prefix}{key}"
            own = any(v is not None and not isinstance(v, Mapping) for v in section.values())
            content = as_toml(section, f"{name}.")
            parts.append(f"[{name}]\n{content}" if own else content)
    return "\n\n".join(part for part in parts if part)


def differing(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Settings that two configurations both have, with different values; names and terms aside."""
    found = []
    for key in one.keys() & other.keys():
        name = f"{prefix}{key}"
        if isinstance(one[key], Mapping) and isinstance(other[key], Mapping):
            found += differing(one[key], other[key], f"{name}.")
        elif one[key] != other[key] and name not in NAME_ONLY:
            found.append(f"`{name}` (here {_value(one[key])}, there {_value(other[key])})")
    return sorted(found)


def _facts(bundle: Bundle, run: CrossvalRun) -> dict[str, Any]:
    manifest = bundle.manifest
    config = manifest.provenance.config
    return {
        "bundle": manifest,
        "sizes": {name: (bundle.path / name).stat().st_size / 1e6 for name in (WEIGHTS_NAME, ONNX_NAME, MANIFEST_NAME)},
        "recipe": as_toml(config),
        "differing": differing(config, run.summary["config"]),
        "unseen": sum(digest not in manifest.training_hashes for digest in _digests(run)),
    }


def _quality(run: CrossvalRun) -> dict[str, Any]:
    _, pooled = evaluate_folds(run)
    queries = join_scored([fold.scored for fold in run.folds])
    sv, probs = _joined(run, "embeddings"), _joined(run, "probs")
    rng = np.random.default_rng(SEED)
    found = calibrate(queries.probs, queries.labels, sv.fold)
    paper = run.summary["mean"]["paper_protocol"], run.summary["sd"]["paper_protocol"]
    return {
        "n": len(queries.labels),
        "n_folds": len(run.folds),
        "resamples": RESAMPLES,
        "accuracy": pooled.classification.accuracy,
        "naming": naming_tiles(pooled, queries, run.taxonomy, rng),
        "finding": finding_tiles(pooled, sv, probs, len(run.taxonomy.emotions), rng),
        "classes": class_rows(pooled, queries, sv, probs, styles(run.taxonomy)),
        "confused": most_confused(pooled, run.taxonomy.names),
        "paper": [(said, *(part[name] for part in paper)) for name, said in PAPER_FIGURES.items() if name in paper[0]],
        "calibration": found,
        "fitting": found.temperature * run.manifest.temperature,
    }


def most_confused(evaluation: Evaluation, names: Sequence[str]) -> list[Confusion]:
    """The largest cells beside the diagonal, largest first."""
    confusion = evaluation.classification.confusion
    cells = [
        Confusion(names[i], names[j], int(confusion[i, j]), float(confusion[i, j] / confusion[i].sum()))
        for i, j in zip(*np.nonzero(confusion), strict=True)
        if i != j
    ]
    return sorted(cells, key=lambda cell: (-cell.pictures, cell.true, cell.named))[:MOST_CONFUSED]


def _joined(run: CrossvalRun, field: Field) -> Ranking:
    return join([ranking(fold.scored, None, run.taxonomy, field) for fold in run.folds])


def _digests(run: CrossvalRun) -> list[str]:
    return [sample.digest for fold in run.folds for sample in fold.scored.samples]


def _names(baseline: CrossvalRun, run: CrossvalRun) -> tuple[str, str]:
    """Heads of two columns: the recipes' names, the folders' where those are equal, else their paths."""
    recipes = [str(one.summary["config"].get("name") or "") for one in (baseline, run)]
    folders = [one.path.resolve().name for one in (baseline, run)]
    paths = [str(one.path) for one in (baseline, run)]
    first, second = next((pair for pair in (recipes, folders) if all(pair) and len(set(pair)) == 2), paths)
    return first, second


def _value(value: Any) -> str:
    """A TOML value; the escapes of JSON strings are TOML's too."""
    return json.dumps(value, ensure_ascii=False)
