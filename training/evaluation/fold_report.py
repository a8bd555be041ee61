"""The report of a cross-validation: all out-of-fold pictures on one page, retrieval within each picture's fold."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from training.evaluation.evaluate import POLARITY_FIGURES, Evaluation, join_scored
from training.evaluation.intervals import RESAMPLES
from training.evaluation.out_of_fold import CrossvalRun, evaluate_folds
from training.evaluation.ranking import join, ranking
from training.evaluation.report import SEED, Judgement, common, numbers, render

COLUMNS = (
    ("accuracy", "accuracy"),
    ("accuracy_polarity", "polarity"),
    ("macro_f1", "macro F1"),
    ("ece", "ECE"),
    ("mAP8", "mAP{n}"),
    ("mAP2", "mAP2"),
    ("NN", "NN"),
    ("P10", "P@10"),
    ("prob_mAP8", "prob. mAP{n}"),
)
"""Figures of the fold table: their key, and the column's head; n stands for the number of emotions."""


class FoldRow(NamedTuple):
    """One line of the fold table; None where nothing could be measured."""

    name: str
    pictures: int | None
    values: tuple[float | None, ...]


def write_fold_report(path: Path, run: CrossvalRun, *, data_name: str, intervals: bool = True) -> None:
    """Write the report of a cross-validation.

    Args:
        path: the HTML file; its folder is made, an existing file replaced.
        run: its output, read with the pictures' paths (a picture without one becomes a placeholder).
        data_name: how the page calls the data.
        intervals: whether to bootstrap 95 % intervals over the pictures.
    """
    each, pooled = evaluate_folds(run)
    queries = join_scored([fold.scored for fold in run.folds])
    sv = join([ranking(fold.scored, None, run.taxonomy, "embeddings") for fold in run.folds])
    probs = join([ranking(fold.scored, None, run.taxonomy, "probs") for fold in run.folds])
    judged = Judgement(queries, queries, pooled, sv, probs)
    names = [f"fold {fold.number}" for fold in run.folds]
    page = numbers(run.manifest, judged, names, intervals) | common(run.manifest, judged, data_name, ())
    columns = [column for column in COLUMNS if run.taxonomy.has_polarity or column[0] not in POLARITY_FIGURES]
    page |= {
        "protocol": protocol(run, len(queries.labels), intervals),
        "notes": [],
        "folds": fold_rows(names, each, columns),
        "fold_columns": [head.format(n=len(run.taxonomy.emotions)) for _, head in columns],
    }
    render(path, page)


def protocol(run: CrossvalRun, n: int, intervals: bool) -> str:
    """How it was measured."""
    text = (
        f"Cross-validation: each of {n} pictures was predicted by the model that was trained on the other folds, and "
        f"searched the other pictures of its own fold, which that model never saw either; {len(run.folds)} folds. "
        "Euclidean distance, ties by content hash; queries without a relevant picture are left out of the means."
    )
    if intervals:
        text += f" In brackets, 95 % bootstrap intervals over pictures ({RESAMPLES} resamples, seed {SEED})."
    return text


def fold_rows(
    names: Sequence[str], evaluations: Sequence[Evaluation], columns: Sequence[tuple[str, str]] = COLUMNS
) -> list[FoldRow]:
    """A line a fold, then mean and standard deviation over the folds."""
    figures = [evaluation.figures() for evaluation in evaluations]
    table = [[found.get(key) for key, _ in columns] for found in figures]
    rows = [
        FoldRow(name, found["n_queries"], tuple(values))
        for name, found, values in zip(names, figures, table, strict=True)
    ]
    measured = [[value for value in column if value is not None] for column in zip(*table, strict=True)]
    rows.append(FoldRow("mean", None, tuple(float(np.mean(c)) if c else None for c in measured)))
    rows.append(FoldRow("sd", None, tuple(float(np.std(c, ddof=1)) if len(c) > 1 else None for c in measured)))
    return rows
