"""What every study over folds begins with: pictures, their label set and the saved folds."""

from pathlib import Path
from typing import NamedTuple

from emotion.taxonomy import Taxonomy
from training.config import TrainingConfig
from training.data.layouts import Layout
from training.data.samples import Sample, read_samples, report_skipped
from training.data.splits import Folds, fold_numbers, load_or_make_folds
from training.experiments.recipes import N_FOLDS
from training.run import load_taxonomy


class Inputs(NamedTuple):
    """What `run_rows` takes of the pictures."""

    samples: list[Sample]
    taxonomy: Taxonomy
    folds: Folds
    numbers: list[int]
    """Folds to run."""


def read_inputs(
    config: TrainingConfig,
    data: Path,
    out: Path,
    wanted: str,
    *,
    label_column: str | None = None,
    layout: Layout | None = None,
) -> Inputs:
    """Read the pictures under a recipe's label set; makes `out`/folds.json, or reads it.

    Raises ConfigError where `wanted`, as in `0,2`, names no fold; DataError where there are too few pictures.
    """
    numbers = fold_numbers(wanted, N_FOLDS)
    taxonomy = load_taxonomy(config)
    samples, skipped = read_samples(data, taxonomy, label_column, layout)
    report_skipped(skipped, out)
    return Inputs(samples, taxonomy, load_or_make_folds(out / "folds.json", samples, N_FOLDS, seed=0), numbers)
