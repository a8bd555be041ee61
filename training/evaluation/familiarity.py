"""Whether a model can tell what it does not know: the familiarity of photos, of non-photos and of other pictures."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Bool
from sklearn.metrics import roc_auc_score

from emotion.arrays import Pixels, Shares
from emotion.bundle import file_sha256
from emotion.collection import read_collection
from emotion.console import Advance, progress, say
from emotion.errors import BundleError, DataError, PictureError
from emotion.predictor import Predictor
from emotion.preprocess import prepare
from training.evaluation.evaluate import Scored
from training.evaluation.non_photos import draw_all

N_EACH: Final = 40
SEED: Final = 0
BATCH: Final = 16
HELD_OUT: Final = "held-out pictures"


class Judged(NamedTuple):
    """What the model says of some pictures."""

    familiarity: Shares
    unfamiliar: Bool[np.ndarray, "b"]


@dataclass(frozen=True)
class FamiliarityRow:
    """What the model says of one kind of picture; fractions in 0..1."""

    kind: str
    pictures: int
    familiarity: float
    """Mean; .5 for pictures like those that the model was trained on."""
    unfamiliar: float
    """Share called unfamiliar."""
    auc: float | None
    """How often such a picture is less familiar than a held-out one, ties by half; .5 is chance."""


def measure_familiarity(
    predictor: Predictor, data: Path, others: Sequence[Path] = (), n_each: int = N_EACH
) -> list[FamiliarityRow]:
    """Held-out pictures first, then each kind of non-photo, then each further folder.

    Args:
        predictor: the model.
        data: pictures, labelled or not, of the kind that it is for; those that trained it are left out.
        others: folders or manifests of pictures to compare with them.
        n_each: non-photos of each kind.

    Raises:
        BundleError: the model does not measure familiarity.
        DataError: no picture is left in one of the folders.
    """
    if predictor.bundle.manifest.familiarity is None:
        raise BundleError(f"{predictor.bundle.path} does not measure familiarity; fit a model with this version")
    known = set(predictor.bundle.manifest.training_hashes)
    sources = [(source.name, _paths(source)) for source in others]  # a wrong name is said before minutes of work
    held_out = _judge_files(predictor, data.name, _unseen(_paths(data), known))
    rows = [_row(HELD_OUT, held_out, None)]
    spec = predictor.bundle.manifest.preprocess
    for kind, pictures in draw_all(n_each, SEED):
        judged = _judge(predictor, (prepare(picture, spec) for picture in pictures), kind)
        rows.append(_row(kind, judged, held_out))
    return rows + [_row(name, _judge_files(predictor, name, paths), held_out) for name, paths in sources]


def as_table(rows: Sequence[FamiliarityRow]) -> str:
    """For people, in Markdown."""
    lines = ["| | pictures | mean familiarity | unfamiliar | AUC |", "|---|---|---|---|---|"]
    for row in rows:
        auc = "" if row.auc is None else f"{row.auc:.3f}"
        lines.append(f"| {row.kind} | {row.pictures} | {row.familiarity:.3f} | {row.unfamiliar:.1%} | {auc} |")
    return "\n".join(lines)


def as_json(rows: Sequence[FamiliarityRow]) -> list[dict[str, Any]]:
    """One object a kind, rounded."""
    return [{k: round(v, 5) if isinstance(v, float) else v for k, v in asdict(row).items()} for row in rows]


def familiarity_figures(scored: Scored) -> dict[str, float]:
    """What an evaluation says of the pictures' familiarity; nothing where the model does not measure it."""
    if scored.familiarity is None or scored.unfamiliar is None:
        return {}
    return {
        "familiarity": round(float(scored.familiarity.mean()), 5),
        "unfamiliar": round(float(scored.unfamiliar.mean()), 5),
    }


def _paths(source: Path) -> list[Path]:
    return [entry.path for entry in read_collection(source)]


def _unseen(paths: Sequence[Path], known: Set[str]) -> list[Path]:
    """A file that is not there stays: it is reported with those that cannot be read."""
    unseen = [path for path in paths if not (path.is_file() and file_sha256(path) in known)]
    if len(unseen) < len(paths):
        say(f"{len(paths) - len(unseen)} of {len(paths)} pictures trained this bundle and are left out")
    return unseen


def _judge_files(predictor: Predictor, name: str, paths: Sequence[Path]) -> Judged:
    with progress(name, len(paths), "pictures") as advance:
        return _judge(predictor, _readable(predictor, paths, advance), name)


def _readable(predictor: Predictor, paths: Sequence[Path], advance: Advance) -> Iterator[Pixels]:
    skipped = []
    for path in paths:
        try:
            yield predictor.prepare(path)
        except PictureError as error:
            skipped.append(str(error))
        advance(1)
    if skipped:
        say(f"skipped {len(skipped)} pictures, the first: {skipped[0]}")


def _judge(predictor: Predictor, pixels: Iterator[Pixels], name: str) -> Judged:
    predictions = []
    while batch := list(islice(pixels, BATCH)):
        predictions.append(predictor.infer(np.stack(batch)))
    if not predictions:
        raise DataError(f"{name} holds no picture to judge")
    return Judged(
        np.concatenate([part.familiarity for part in predictions if part.familiarity is not None]),
        np.concatenate([part.unfamiliar for part in predictions if part.unfamiliar is not None]),
    )


def _row(kind: str, judged: Judged, held_out: Judged | None) -> FamiliarityRow:
    """Without `held_out` there is nothing to tell them apart from."""
    auc = None
    if held_out is not None:
        is_other = np.repeat([0, 1], [len(held_out.familiarity), len(judged.familiarity)])
        auc = float(roc_auc_score(is_other, -np.concatenate([held_out.familiarity, judged.familiarity])))
    share = float(judged.unfamiliar.mean())
    return FamiliarityRow(kind, len(judged.familiarity), float(judged.familiarity.mean()), share, auc)
