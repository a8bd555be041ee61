"""Recipes of trained rows: a preset at the size of the budget, then what the user sets, then what makes the row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from training.config import TrainingConfig, load_config
from training.experiments.budget import Budget

ALIKE: Final = ("data.validation_fraction=0", "loop.patience=0", "network.familiarity_rank=0")
"""Every row learns from the same pictures, to its last epoch."""
SIZE: Final = {
    Budget.QUICK: (*ALIKE, "preprocess.size_px=160", "loop.epochs=12", "data.batch_size=64"),
    Budget.FULL: (*ALIKE, "preprocess.size_px=224"),
}
N_SEEDS: Final = {Budget.QUICK: 1, Budget.FULL: 3}
FOLDS: Final = {Budget.QUICK: "0", Budget.FULL: "0,1,2,3,4"}
N_FOLDS: Final = 5


def recipe(
    source: str,
    budget: Budget,
    *,
    backbone: str | None = None,
    weights: Path | None = None,
    sets: Sequence[str] = (),
    row: Sequence[str] = (),
) -> TrainingConfig:
    """A preset's or file's recipe; what comes later in the signature wins, so that no `--set` unmakes a row.

    Raises ConfigError as load_config does, also where a setting of `sets` does nothing in this row.
    """
    network = [] if backbone is None else [f"network.backbone={backbone}"]
    network += [] if weights is None else [f"network.weights={weights}"]
    return load_config(source, [*SIZE[budget], *network, *sets, *row])
