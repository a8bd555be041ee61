"""Whether a model can tell what it does not know: the familiarity of photos, of non-photos and of other pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Bool
from sklearn.metrics import roc_auc_score

from emotion.arrays import Pixels, Shares
from emotion.collection import MANIFEST_NAME, read_folder
from emotion.console import progress
from emotion.errors import BundleError, DataError
from emotion.predictor import Predictor
from emotion.preprocess import prepare
from emotion.taxonomy import Taxonomy
from training.data.layouts import read_layout
from training.data.names import source_name, source_names
from training.evaluation.evaluate import Scored
from training.evaluation.non_photos import KINDS, draw_all
from training.evaluation.unseen import UnseenPictures

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
        data: pictures of the kind that it is for: any folder, or a file of any layout.
        others: the same of pictures to compare with them. Those that trained the model are left out of both.
        n_each: non-photos of each kind.

    Raises:
        BundleError: the model does not measure familiarity.
        DataError: no picture is left in one of them; says why.
    """
    if predictor.bundle.manifest.familiarity is None:
        raise BundleError(f"{predictor.bundle.path} does not measure familiarity; fit a model with this version")
    # A wrong name is said before minutes of work.
    paths = [picture_paths(source, predictor.taxonomy) for source in others]
    names = source_names(others, taken=(HELD_OUT, *KINDS))
    held_out = _judge_files(predictor, source_name(data), picture_paths(data, predictor.taxonomy))
    rows = [_row(HELD_OUT, held_out, None)]
    spec = predictor.bundle.manifest.preprocess
    for kind, pictures in draw_all(n_each, SEED):
        judged = _judge(predictor, (prepare(picture, spec) for picture in pictures), kind)
        rows.append(_row(kind, judged, held_out))
    judged_others = (_judge_files(predictor, name, of) for name, of in zip(names, paths, strict=True))
    return rows + [_row(name, judged, held_out) for name, judged in zip(names, judged_others, strict=True)]


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


def picture_paths(source: Path, taxonomy: Taxonomy) -> list[Path]:
    """The pictures of any data set, labelled or not: a folder without a manifest holds all below it."""
    source = source.expanduser().absolute()
    if source.is_dir() and not (source / MANIFEST_NAME).is_file():
        return [entry.path for entry in read_folder(source)]
    return [picture.path for picture in read_layout(source, taxonomy).pictures]


def _judge_files(predictor: Predictor, name: str, paths: Sequence[Path]) -> Judged:
    unseen = UnseenPictures(predictor)

    def prepared() -> Iterator[Pixels]:
        for path in paths:
            pixels = unseen.prepare(path)
            advance(1)
            if pixels is not None:
                yield pixels

    with progress(name, len(paths), "pictures") as advance:
        try:
            judged = _judge(predictor, prepared(), name)
        except DataError as error:
            raise DataError(f"{error}{unseen.why()}") from error
    unseen.report()
    return judged


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
