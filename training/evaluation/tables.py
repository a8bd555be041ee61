"""The report's numbers, arranged: headline tiles, the confusion matrix, one row an emotion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotion.taxonomy import Taxonomy
from training.evaluation.classification import ECE_BINS
from training.evaluation.evaluate import Evaluation, Scored
from training.evaluation.examples import query_ap
from training.evaluation.intervals import Estimate, classification_estimates, retrieval_estimates
from training.evaluation.palette import Style
from training.evaluation.ranking import Ranking
from training.evaluation.retrieval import DCG_CUT

NAN = float("nan")


@dataclass(frozen=True)
class Tile:
    """One headline figure; `probs` is the same measured on the class probabilities as the embedding."""

    name: str
    note: str
    main: Estimate
    probs: Estimate | None = None
    chance: float = NAN
    lower_is_better: bool = False


@dataclass(frozen=True)
class Cell:
    """Pictures of the row's emotion that were named the column's."""

    count: int
    share: float
    diagonal: bool
    border: bool
    """The polarity changes between this column and the one before."""
    said: str


@dataclass(frozen=True)
class ConfusionRow:
    """One true emotion."""

    style: Style
    cells: tuple[Cell, ...]
    total: int
    border: bool


@dataclass(frozen=True)
class ClassRow:
    """One emotion: how it is named, and how it is found."""

    style: Style
    pictures: int
    precision: float
    recall: float
    f1: float
    ap_sv: float
    ap_probs: float


def naming_tiles(
    evaluation: Evaluation, queries: Scored, taxonomy: Taxonomy, rng: np.random.Generator | None
) -> list[Tile]:
    """Accuracy, polarity accuracy and calibration of the class head; chance is always naming the commonest."""
    found = classification_estimates(evaluation.classification, queries, taxonomy, rng)
    sides = taxonomy.polarity_codes()[queries.labels]
    by_polarity = Tile(
        "Polarity accuracy",
        "positive or negative named right",
        found["accuracy_polarity"],
        chance=_commonest(sides[sides >= 0]),
    )
    return [
        Tile("Accuracy", "emotion named right", found["accuracy"], chance=_commonest(queries.labels)),
        *([by_polarity] if taxonomy.has_polarity else []),
        Tile("Macro F1", "mean over the emotions present", found["macro_f1"]),
        Tile("ECE", f"calibration error, {ECE_BINS} bins", found["ece"], lower_is_better=True),
    ]


def finding_tiles(
    evaluation: Evaluation, sv: Ranking, probs: Ranking, n_emotions: int, rng: np.random.Generator | None
) -> list[Tile]:
    """The retrieval measures, sentiment vector beside class probabilities; without polarity none by it."""
    ours = retrieval_estimates(evaluation.sv.by_emotion, sv.parts(sv.by_emotion), rng)
    theirs = retrieval_estimates(evaluation.probabilities.by_emotion, probs.parts(probs.by_emotion), rng)
    sides = retrieval_estimates(evaluation.sv.by_polarity, sv.parts(sv.by_polarity), rng)
    their_sides = retrieval_estimates(evaluation.probabilities.by_polarity, probs.parts(probs.by_polarity), rng)
    chance = sv.chance()

    def tile(name: str, note: str, field: str, chance: float = NAN) -> Tile:
        return Tile(name, note, ours[field], theirs[field], chance, lower_is_better=field == "anmrr")

    by_polarity = Tile(
        "mAP2",
        "average precision by polarity",
        sides["mean_ap"],
        their_sides["mean_ap"],
        sv.chance_polarity(),
    )
    return [
        tile(f"mAP{n_emotions}", "average precision by emotion", "mean_ap", chance),
        *([by_polarity] if evaluation.has_polarity else []),
        tile("NN", "nearest picture shares the emotion", "nn", chance),
        tile("P@10", "share of the first ten", "p_at_10", chance),
        tile("FT", "first tier: found within m", "ft", chance),
        tile("ST", "second tier: found within 2 m", "st"),
        tile("DCG", f"discounted gain, first {DCG_CUT} m ranks", "dcg"),
        tile("ANMRR", "MPEG-7 rank measure", "anmrr"),
    ]


def confusion_rows(evaluation: Evaluation, shown: Sequence[Style]) -> list[ConfusionRow]:
    """Rows are the truth, columns the answers, both in display order."""
    confusion = evaluation.classification.confusion
    borders = [place > 0 and shown[place - 1].side != style.side for place, style in enumerate(shown)]
    rows = []
    for true, border in zip(shown, borders, strict=True):
        total = int(confusion[true.index].sum())
        cells = []
        for named, edge in zip(shown, borders, strict=True):
            count = int(confusion[true.index, named.index])
            share = count / total if total else 0.0
            said = f"{true.name} named {named.name}: {count} of {total} ({share:.0%})"
            cells.append(Cell(count, share, true is named, edge, said))
        rows.append(ConfusionRow(true, tuple(cells), total, border))
    return rows


def class_rows(
    evaluation: Evaluation, queries: Scored, sv: Ranking, probs: Ranking, shown: Sequence[Style]
) -> list[ClassRow]:
    """Precision, recall, F1 and mean AP of every emotion; NaN where nothing can be said."""
    confusion = evaluation.classification.confusion
    ap = query_ap(sv), query_ap(probs)
    rows = []
    for style in shown:
        right = int(confusion[style.index, style.index])
        true, named = int(confusion[style.index].sum()), int(confusion[:, style.index].sum())
        f1 = _ratio(2 * right, true + named)
        found = [_mean(values[queries.labels == style.index]) for values in ap]
        rows.append(ClassRow(style, true, _ratio(right, named), _ratio(right, true), f1, found[0], found[1]))
    return rows


def _commonest(labels: np.ndarray) -> float:
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels)) if len(labels) else NAN


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else NAN


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else NAN
