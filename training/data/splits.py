"""Splits grouped by content hash, so that a picture and its copy never stand on both sides; saved as JSON."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from emotion.errors import ConfigError, DataError
from training.data.samples import Sample
from training.records import read_json, write_json

Folds = dict[str, int]
"""Content hash to fold number."""


def make_folds(samples: Sequence[Sample], n_folds: int, seed: int) -> Folds:
    """Stratified folds over content hashes."""
    labels = np.array([sample.label for sample in samples])
    groups = np.array([sample.digest for sample in samples])
    smallest = int(np.bincount(labels)[np.unique(labels)].min())
    if smallest < n_folds:
        raise DataError(f"{n_folds} folds need {n_folds} pictures of each emotion; the rarest has {smallest}")
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    folds: Folds = {}
    for number, (_, test) in enumerate(splitter.split(labels, labels, groups)):
        folds.update({str(groups[row]): number for row in test})
    return folds


def load_or_make_folds(path: Path, samples: Sequence[Sample], n_folds: int, seed: int) -> Folds:
    """Folds from a file, or new ones saved there; raises DataError when it is damaged or does not fit the pictures."""
    if not path.is_file():
        folds = make_folds(samples, n_folds, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"n_folds": n_folds, "seed": seed, "folds": folds}, indent=0)
        return folds
    saved = read_json(path, "n_folds", "seed", "folds")
    if (saved["n_folds"], saved["seed"]) != (n_folds, seed):
        raise DataError(
            f"{path} holds {saved['n_folds']} folds of seed {saved['seed']}, not {n_folds} of seed {seed}; "
            "ask for those, or take another --out"
        )
    folds = dict(saved["folds"])
    missing = sum(sample.digest not in folds for sample in samples)
    if missing:
        raise DataError(f"{path} lacks {missing} of {len(samples)} pictures; remove it to make new folds")
    return folds


def fold_parts(samples: Sequence[Sample], folds: Folds, number: int) -> tuple[list[Sample], list[Sample]]:
    """Training and test pictures of a fold."""
    train = [sample for sample in samples if folds[sample.digest] != number]
    return train, [sample for sample in samples if folds[sample.digest] == number]


def fold_numbers(text: str, n_folds: int) -> list[int]:
    """The folds that `--folds 0,2` names; raises ConfigError where one is none, or is named twice."""
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if not (part.isascii() and part.isdigit()) or int(part) >= n_folds:
            raise ConfigError(f"--folds takes numbers from 0 to {n_folds - 1}, not {part!r}")
    numbers = [int(part) for part in parts]
    if len(set(numbers)) < len(numbers):
        raise ConfigError(f"--folds {text} names a fold twice; name each once")
    return numbers


def hold_out(samples: Sequence[Sample], fraction: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Split off a stratified part, e.g. for validation; fraction 0 keeps everything in the first."""
    if fraction == 0:
        return list(samples), []
    n_parts = max(2, round(1 / fraction))
    try:
        folds = make_folds(samples, n_parts, seed)
    except DataError as error:
        raise DataError(
            f"a validation part of one in {n_parts} cannot hold every emotion ({error}); label more pictures, raise "
            "data.validation_fraction, or set data.validation_fraction=0 and loop.patience=0"
        ) from error
    kept = [sample for sample in samples if folds[sample.digest] != 0]
    held = [sample for sample in samples if folds[sample.digest] == 0]
    return kept, held
