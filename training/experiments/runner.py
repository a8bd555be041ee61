"""The story of a study: rows fold by fold, what is done kept, the table written anew after every row."""

import time
from collections.abc import Sequence
from math import isnan, nan
from pathlib import Path
from statistics import fmean
from typing import Any

from emotion.console import say
from emotion.errors import ConfigError
from emotion.taxonomy import Taxonomy
from index.durable import write_atomic
from training.data.samples import Sample
from training.data.splits import Folds
from training.evaluation.intervals import RESAMPLES
from training.experiments.figures import Figures
from training.experiments.rows import Method, NotRun, Row
from training.experiments.store import Cell, Store
from training.experiments.table import Study, as_json, as_markdown
from training.records import write_json


def run_rows(
    study: Study,
    rows: Sequence[Row],
    samples: Sequence[Sample],
    taxonomy: Taxonomy,
    folds: Folds,
    out: Path,
    *,
    numbers: Sequence[int],
    keep_bundles: bool = False,
    resamples: int = RESAMPLES,
) -> str:
    """Run what is not done yet; returns the Markdown that `out`/NAME.md holds, beside `out`/NAME.json.

    A done cell, a row in a fold with a seed, is OUT/rows/KEY/foldN (with further seeds OUT/rows/KEY/repeatR/foldN) and
    is never run again: after an interrupt the same command goes on, and another `numbers` widens the table.

    Args:
        study: what the table is about.
        rows: in the table's order.
        samples: all pictures.
        taxonomy: their label set.
        folds: the fold in which each is tested.
        out: the command's --out.
        numbers: folds to run; done ones count though they are not among them.
        keep_bundles: leave the models in the folders of the cells that are run; one that lies there stays.
        resamples: for the intervals.

    Raises:
        ConfigError: a done cell in `numbers` is of other settings or pictures, or a row fails for its settings.
        DataError: a file of a done cell is damaged, or a row fails for its pictures.
    """
    _check_keys(study, rows)
    store = Store(out, samples, folds)
    plan = [cell for row in rows for cell in store.cells(row, numbers)]
    done: list[Cell] = []
    waiting: list[Cell] = []
    for cell in plan:  # all are looked at before the first is trained
        (done if store.is_done(cell) else waiting).append(cell)
    for cell in done:
        store.tidy(cell, keep_bundle=True)  # a model that was kept once is not for a later command to take away
    figures = Figures(store, rows, taxonomy, resamples, study.settings)
    pace = _Pace()
    for cell in done:
        pace.took(cell, store.seconds(cell))
    if done:
        say(f"{len(done)} of {len(plan)} row folds are done already in {out / 'rows'}")
    text = _write(study, figures, rows, out, numbers)
    try:
        for place, cell in enumerate(waiting):
            say(f"row {_place(rows, cell)}: {cell.named()}; {pace.left(waiting[place:])}")
            pace.took(cell, _run(store, cell, keep_bundle=keep_bundles))
            if place + 1 == len(waiting) or waiting[place + 1].row is not cell.row:
                figures.refresh()
                text = _write(study, figures, rows, out, numbers)
    except KeyboardInterrupt:
        say(f"interrupted; the same command goes on, what is done is kept in {out / 'rows'}")
        raise
    return text


def _run(store: Store, cell: Cell, *, keep_bundle: bool) -> float:
    """Run one cell; returns the seconds that it took."""
    start = time.monotonic()
    scores = cell.method.score_fold(cell.train, cell.test, cell.folder)
    seconds = time.monotonic() - start
    store.save(cell, scores, seconds)
    store.tidy(cell, keep_bundle=keep_bundle)
    return seconds


def _write(study: Study, figures: Figures, rows: Sequence[Row], out: Path, numbers: Sequence[int]) -> str:
    text = as_markdown(study, figures, rows, numbers)
    content: dict[str, Any] = as_json(study, figures, rows, numbers)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / f"{study.name}.json", content)
    write_atomic(out / f"{study.name}.md", text.encode())
    return text


def _check_keys(study: Study, rows: Sequence[Row]) -> None:
    keys = [row.key for row in rows]
    if len(set(keys)) < len(keys) or study.base not in keys:
        raise ConfigError(f"{study.name}: every row needs a key of its own, {study.base!r} being one; got {keys}")


def _place(rows: Sequence[Row], cell: Cell) -> str:
    run = [row.key for row in rows if not isinstance(row.method, NotRun)]
    return f"{run.index(cell.row.key) + 1} of {len(run)}"


class _Pace:
    """How long the rest will take, as the mean of what is done by the same kind of method says."""

    def __init__(self) -> None:
        self._seconds: dict[type[Method], list[float]] = {}

    def took(self, cell: Cell, seconds: float) -> None:
        self._seconds.setdefault(type(cell.method), []).append(seconds)

    def left(self, waiting: Sequence[Cell]) -> str:
        """Without a time where nothing of a kind is done: a descriptor's seconds say nothing of a training's."""
        means = [fmean(self._seconds.get(type(cell.method), [nan])) for cell in waiting]
        minutes = sum(means) / 60
        if isnan(minutes):
            return f"{len(waiting)} to go"
        return f"{len(waiting)} to go, {f'about {minutes:.0f} min' if minutes >= 1 else 'less than a minute'}"
