"""Features that another program computed: SentiBank's 1200 numbers, DeepSentiBank's 2089."""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float32

from emotion.errors import DataError
from training.data.samples import Sample
from training.experiments.feature_svm import Describe

KEYS: Final = ("path", "sha256")
"""What names a picture: its file, relative to the file of features, or the hash of its bytes."""
FEATURES: Final = "features"
SHOWN: Final = 3
SENTIBANK_VALUES: Final = 1200
DEEP_SENTIBANK_VALUES: Final = 2089


@dataclass(frozen=True, eq=False)
class Precomputed:
    """Rows of a file, found by path or by content hash; see `read_precomputed`."""

    file: Path
    digest: str
    """sha256 of the file."""
    key: str
    """One of KEYS."""
    places: dict[str, int]
    """Resolved path or content hash to row."""
    rows: Float32[np.ndarray, "n d"]

    @property
    def settings(self) -> dict[str, Any]:
        """JSON of all that decides the numbers, besides the pictures."""
        return {"kind": "precomputed", "n_values": self.rows.shape[1], "sha256": self.digest}

    def fit(self, train: Sequence[Sample]) -> Describe:
        """Nothing is learned."""
        del train
        return self.of

    def of(self, samples: Sequence[Sample]) -> Float32[np.ndarray, "n d"]:
        """The rows of these pictures; raises DataError naming pictures that the file lacks."""
        self.check(samples)
        return self.rows[[self.places[self._name(sample)] for sample in samples]]

    def check(self, samples: Sequence[Sample]) -> None:
        """Raise DataError where the file lacks one of these pictures."""
        missing = [sample for sample in samples if self._name(sample) not in self.places]
        if missing:
            named = ", ".join(str(sample.path) for sample in missing[:SHOWN]) + (" ..." if len(missing) > SHOWN else "")
            raise DataError(
                f"{self.file} lacks {len(missing)} of {len(samples)} pictures, looked for by {self.key}: {named}"
            )

    def _name(self, sample: Sample) -> str:
        return sample.digest if self.key == "sha256" else str(sample.path.resolve())


def read_precomputed(file: Path, n_values: int) -> Precomputed:
    """Read a file of features.

    A CSV has a header whose first column is `path` or `sha256`, and `n_values` columns of numbers. An .npz has an array
    of strings `path` or `sha256`, and `features`, n x `n_values`. Paths are relative to the file, as in a manifest.

    Raises DataError that says what is wrong and where.
    """
    try:
        content = file.read_bytes()
        key, names, rows = _read_npz(file) if file.suffix == ".npz" else _read_csv(file)
    except (OSError, EOFError, BadZipFile, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise DataError(f"{file} cannot be read as features of pictures: {error}") from error
    if rows.ndim != 2 or rows.shape[1] != n_values or len(rows) != len(names):
        raise DataError(
            f"{file} holds {' x '.join(map(str, rows.shape))} numbers for {len(names)} pictures; expected are "
            f"{n_values} for each"
        )
    if not np.isfinite(rows).all():
        bad = names[int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])]
        raise DataError(f"{file} holds a value for {bad} that is not a finite number")
    places = _places(file, _resolved(names, file.parent) if key == "path" else (name.lower() for name in names))
    return Precomputed(file, hashlib.sha256(content).hexdigest(), key, places, rows)


def _read_npz(file: Path) -> tuple[str, list[str], np.ndarray]:
    # Opened here: numpy leaves the file open where it finds no archive in it.
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as saved:
        key = next((key for key in KEYS if key in saved), None)
        if key is None or FEATURES not in saved:
            raise DataError(f"{file} holds {', '.join(saved)}; expected are `{FEATURES}` and `path` or `sha256`")
        return key, [str(name) for name in saved[key]], np.asarray(saved[FEATURES], dtype=np.float32)


def _read_csv(file: Path) -> tuple[str, list[str], np.ndarray]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        lines = csv.reader(stream)
        header = next(lines, [])
        key = header[0].strip().lower() if header else ""
        if key not in KEYS:
            raise DataError(f"{file} begins with the column {key!r}; the first has to be `path` or `sha256`")
        width = len(header) - 1
        names, rows = [], [np.zeros((0, width), dtype=np.float32)]
        for name, values in _lines(file, lines, width):
            names.append(name)
            rows.append(values)
    return key, names, np.concatenate(rows)


def _lines(file: Path, lines: Iterable[list[str]], width: int) -> Iterator[tuple[str, np.ndarray]]:
    for number, line in enumerate(lines, start=2):
        if not line:
            continue  # an empty line, as often the last one
        if len(line) - 1 != width:
            raise DataError(f"{file}, line {number}, has {len(line) - 1} values where its header names {width}")
        try:
            yield line[0].strip(), np.array(line[1:], dtype=np.float32)[None]
        except ValueError as error:
            raise DataError(f"{file}, line {number}: {error}") from error


def _resolved(names: Iterable[str], folder: Path) -> Iterator[str]:
    return (str((folder / name).resolve()) for name in names)


def _places(file: Path, names: Iterable[str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for row, name in enumerate(names):
        if places.setdefault(name, row) != row:
            raise DataError(f"{file} has two rows for {name}")
    return places
