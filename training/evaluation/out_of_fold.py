"""What `crossval` leaves behind: every picture predicted by a model that never saw it."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np

from emotion.bundle import BundleManifest, load_bundle
from emotion.errors import DataError
from emotion.taxonomy import Taxonomy
from index.durable import write_atomic
from training.data.samples import Sample
from training.evaluation.evaluate import Evaluation, Scored, evaluate, join_scored, pool_folds

SUMMARY: Final = "crossval.json"
RESULT: Final = "result.json"
"""Says that a fold is done."""
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
    """Write predictions in one step, with content hashes in place of paths."""
    content = BytesIO()
    np.savez_compressed(
        content,
        embeddings=scored.embeddings,
        probs=scored.probs,
        labels=scored.labels,
        digests=np.array([sample.digest for sample in scored.samples]),
    )
    write_atomic(path, content.getvalue())


def read_run(out: Path, samples: Mapping[str, Sample] | None = None) -> CrossvalRun:
    """Read the output of `crossval`.

    Args:
        out: its --out.
        samples: the pictures by content hash; without them a path is only the hash, and cannot be opened.

    Raises DataError when the folder is not such an output or a fold's predictions are missing or damaged.
    """
    try:
        summary: dict[str, Any] = json.loads((out / SUMMARY).read_text())
        numbers = [int(result["fold"]) for result in summary["folds"]]
        folds = tuple(read_fold(out, number, samples) for number in numbers)
        first = fold_folder(out, numbers[0])
    except (OSError, ValueError, LookupError, TypeError, DataError) as error:
        raise DataError(f"{out} is not the finished output of `training crossval`: {error}") from error
    return CrossvalRun(out, summary, load_bundle(first / "bundle").manifest, folds)


def evaluate_folds(run: CrossvalRun) -> tuple[list[Evaluation], Evaluation]:
    """Each fold by itself (unseen gallery), and all of them pooled over their pictures."""
    each = [evaluate(fold.scored, run.taxonomy) for fold in run.folds]
    return each, pool_folds(each, join_scored([fold.scored for fold in run.folds]), run.taxonomy)


def read_fold(out: Path, number: int, samples: Mapping[str, Sample] | None = None) -> Fold:
    """A fold's predictions; raises DataError where they are missing or damaged, saying how to make them again."""
    folder = fold_folder(out, number)
    remedy = f"delete {folder / RESULT} and run the same `crossval` again"
    return Fold(number, read_predictions(folder / PREDICTIONS, remedy, samples))


def read_predictions(path: Path, remedy: str, samples: Mapping[str, Sample] | None = None) -> Scored:
    """What `save_predictions` wrote; raises DataError with `remedy` where it is missing or damaged.

    Without `samples`, the pictures by content hash, a path is only the hash, and cannot be opened.
    """
    try:
        # Opened here: numpy leaves the file open where it finds no archive in it.
        with path.open("rb") as stream, np.load(stream) as saved:
            return _scored(saved, samples or {})
    except (OSError, EOFError, BadZipFile, zlib.error, ValueError, LookupError, AttributeError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}); {remedy}") from error


def _scored(saved: Mapping[str, np.ndarray], samples: Mapping[str, Sample]) -> Scored:
    labels, digests = saved["labels"], saved["digests"].tolist()
    known = tuple(
        samples.get(digest, Sample(Path(digest), label, digest))
        for digest, label in zip(digests, labels.tolist(), strict=True)
    )
    return Scored(saved["embeddings"], saved["probs"], labels, known)
