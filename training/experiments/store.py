"""Rows on disk: OUT/rows/KEY/foldN holds a finished fold, which is kept and never overwritten."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emotion.errors import ConfigError
from training.data.samples import Sample
from training.data.splits import Folds, fold_parts
from training.evaluation.evaluate import Scored
from training.evaluation.out_of_fold import PREDICTIONS, RESULT, fold_folder, read_predictions, save_predictions
from training.experiments.rows import FoldScores, Method, NotRun, Row
from training.records import read_json, write_json
from training.run import data_digest

GALLERY: Final = "train.npz"
BUNDLE: Final = "bundle"
SHOWN: Final = 3
"""Settings that an error names."""


@dataclass(frozen=True)
class Cell:
    """A row in one fold, with one seed."""

    row: Row
    method: Method
    repeat: int
    """0 for the row's method, then its repeats."""
    number: int
    folder: Path
    train: Sequence[Sample]
    test: Sequence[Sample]

    def named(self) -> str:
        """For people."""
        repeat = f", repeat {self.repeat}" if self.repeat else ""
        return f"{self.row.title}, fold {self.number}{repeat}"

    @property
    def result(self) -> Path:
        """The file that says that it is done."""
        return self.folder / RESULT


class Store:
    """The cells of one command under its --out, of one set of pictures and folds."""

    def __init__(self, out: Path, samples: Sequence[Sample], folds: Folds) -> None:
        self.out = out
        numbers = sorted({folds[sample.digest] for sample in samples})
        self._parts = {number: fold_parts(samples, folds, number) for number in numbers}
        self._digests = {number: data_digest(*parts) for number, parts in self._parts.items()}

    @property
    def numbers(self) -> list[int]:
        """All folds, whether asked for or not."""
        return sorted(self._parts)

    def cells(self, row: Row, numbers: Sequence[int]) -> list[Cell]:
        """A row's cells in these folds, seed by seed; none of a row that is not run."""
        if isinstance(row.method, NotRun):
            return []
        methods = [row.method, *row.repeats]
        return [
            Cell(row, method, repeat, number, self._folder(row.key, repeat, number), *self._parts[number])
            for repeat, method in enumerate(methods)
            for number in numbers
        ]

    def is_done(self, cell: Cell) -> bool:
        """Whether the cell can be kept.

        Raises ConfigError where what lies there is of other settings or pictures, DataError where it is damaged.
        """
        if not cell.result.is_file():
            return False
        if differing := self._differing(cell):
            raise ConfigError(f"{cell.result} is of other {differing}; choose another --out")
        return True

    def done_folds(self, row: Row) -> list[list[int]]:
        """For each seed of a row the folds that are done, asked for or not; what is of other settings is left out."""
        cells = [cell for cell in self.cells(row, self.numbers) if cell.result.is_file() and not self._differing(cell)]
        n_methods = 0 if isinstance(row.method, NotRun) else 1 + len(row.repeats)
        return [[cell.number for cell in cells if cell.repeat == repeat] for repeat in range(n_methods)]

    def save(self, cell: Cell, scores: FoldScores, seconds: float) -> None:
        """Write what a cell gave; result.json comes last, so that it is there in full or not at all."""
        cell.folder.mkdir(parents=True, exist_ok=True)
        save_predictions(cell.folder / PREDICTIONS, scores.test)
        save_predictions(cell.folder / GALLERY, scores.train)
        content = {
            "row": cell.row.key,
            "title": cell.row.title,
            "fold": cell.number,
            "settings": cell.method.settings,
            "data": self._digests[cell.number],
            "seconds": round(seconds, 1),
        }
        write_json(cell.result, content)

    def tidy(self, cell: Cell, *, keep_bundle: bool) -> None:
        """Take away what the method left in a done cell: checkpoints and bundles fill a disk."""
        kept = {RESULT, PREDICTIONS, GALLERY} | ({BUNDLE} if keep_bundle else set())
        for path in cell.folder.iterdir():
            if path.name not in kept:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def seconds(self, cell: Cell) -> float:
        """What a done cell took."""
        return float(_read(cell).get("seconds", 0.0))

    def read(self, cell: Cell) -> tuple[Scored, Scored]:
        """Test pictures and training pictures of a done cell; raises DataError saying what to delete."""
        remedy = f"delete {cell.result} and run the same command again"
        test = read_predictions(cell.folder / PREDICTIONS, remedy)
        return test, read_predictions(cell.folder / GALLERY, remedy)

    def _folder(self, key: str, repeat: int, number: int) -> Path:
        runs = self.out / "rows" / key
        return fold_folder(runs / f"repeat{repeat}" if repeat else runs, number)

    def _differing(self, cell: Cell) -> str:
        """What of a done cell is not what is asked for now; empty where all is."""
        result = _read(cell)
        settings = json.loads(json.dumps(cell.method.settings))  # as a file has it: lists, not tuples
        if names := _differing_names(result["settings"], settings):
            more = ", ..." if len(names) > SHOWN else ""
            return f"settings ({', '.join(names[:SHOWN])}{more})"
        return "pictures" if result["data"] != self._digests[cell.number] else ""


def _differing_names(one: Any, other: Any, name: str = "") -> list[str]:
    """The settings in which two trees differ, as in `config.loss.w`; none where they are equal."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [name]
    under = f"{name}." if name else ""
    found = [f"{under}{key}" for key in one.keys() ^ other.keys()]
    for key in one.keys() & other.keys():
        found += _differing_names(one[key], other[key], f"{under}{key}")
    return sorted(found)


def _read(cell: Cell) -> dict[str, Any]:
    return read_json(cell.result, "settings", "data")
