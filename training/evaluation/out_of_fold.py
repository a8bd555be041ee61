"""What `crossval` leaves behind: every picture predicted by a model that never saw it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from emotion.bundle import BundleManifest, load_bundle
from emotion.errors import DataError
from emotion.taxonomy import Taxonomy
from training.data.samples import Sample
from training.evaluation.evaluate import Evaluation, Scored, evaluate, join_scored, pool_folds

SUMMARY: Final = "crossval.json"
PREDICTIONS: Final = "test.npz"


class Fold(NamedTuple):
    """One test fold under the model of the others."""

    number: int
    scored: Scored


@dataclass(frozen=True)
class CrossvalRun:
    """A finished cross-validation."""

    path: Path
    summary: dict[str, Any]
    """crossval.json."""
    manifest: BundleManifest
    """Of the first fold's model: what all have in common, apart from weights and training pictures."""
    folds: tuple[Fold, ...]

    @property
    def taxonomy(self) -> Taxonomy:
        """The label set of all folds."""
        return self.manifest.taxonomy


def fold_folder(out: Path, number: int) -> Path:
    """Where a fold's model, result and predictions are."""
    return out / f"fold{number}"


def save_predictions(path: Path, scored: Scored) -> None:
    """Write a test fold's predictions, with content hashes in place of paths."""
    np.savez_compressed(
        path,
        embeddings=scored.embeddings,
        probs=scored.probs,
        labels=scored.labels,
        digests=np.array([sample.digest for sample in scored.samples]),
    )


def read_run(out: Path, samples: Mapping[str, Sample] | None = None) -> CrossvalRun:
    """Read the output of `crossval`.

    Args:
        out: its --out.
        samples: the pictures by content hash; without them a path is only the hash, and cannot be opened.

    Raises DataError when the folder is not such an output or a fold's predictions are missing.
    """
    try:
        summary: dict[str, Any] = json.loads((out / SUMMARY).read_text())
        numbers = [int(result["fold"]) for result in summary["folds"]]
        folds = tuple(Fold(number, _read_fold(fold_folder(out, number), samples or {})) for number in numbers)
        first = fold_folder(out, numbers[0])
    except (OSError, ValueError, LookupError) as error:
        raise DataError(f"{out} is not the finished output of `training crossval`: {error}") from error
    return CrossvalRun(out, summary, load_bundle(first / "bundle").manifest, folds)


def evaluate_folds(run: CrossvalRun) -> tuple[list[Evaluation], Evaluation]:
    """Each fold by itself (unseen gallery), and all of them pooled over their pictures."""
    each = [evaluate(fold.scored, run.taxonomy) for fold in run.folds]
    return each, pool_folds(each, join_scored([fold.scored for fold in run.folds]), run.taxonomy)


def _read_fold(folder: Path, samples: Mapping[str, Sample]) -> Scored:
    with np.load(folder / PREDICTIONS) as saved:
        labels, digests = saved["labels"], saved["digests"].tolist()
        known = tuple(
            samples.get(digest, Sample(Path(digest), label, digest))
            for digest, label in zip(digests, labels.tolist(), strict=True)
        )
        return Scored(saved["embeddings"], saved["probs"], labels, known)
