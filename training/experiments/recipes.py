"""Recipes of trained rows: a preset at the size of the budget, then what the user sets, then what makes the row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from emotion.errors import ConfigError
from training.config import TrainingConfig
from training.config_file import load_config
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

    Raises ConfigError as load_config does, also where a setting of `sets` does nothing in this row; and where the
    recipe has a network.start, since that bundle may have learned the test pictures of every fold.
    """
    network = [] if backbone is None else [f"network.backbone={backbone}"]
    network += [] if weights is None else [f"network.weights={weights}"]
    config = load_config(source, [*SIZE[budget], *network, *sets, *row])
    if config.network.start is not None:
        raise ConfigError(
            "network.start: the rows of this study start from ImageNet weights, and the bundle may know their test "
            "pictures; `experiment transfer` starts from one, and leaves those out"
        )
    return config


def in_words(config: TrainingConfig) -> str:
    """What a page says of a recipe."""
    optim, network = config.optim, config.network.backbone
    return (
        f"{network}, {config.preprocess.size_px} pixels, {config.loop.epochs} epochs in batches of "
        f"{config.data.batch_size}, {optim.optimizer}, learning rates {optim.lr_backbone:g} (trunk), {optim.lr:g} "
        f"(embedding) and {optim.lr_head:g} (class head), w = {config.loss.w:g}"
    )


def besides(sets: Sequence[str]) -> list[str]:
    """The paragraph on what was set by hand, where anything was."""
    return (
        [f"Set by hand, in every row that does not fix it: {', '.join(f'`{each}`' for each in sets)}."] if sets else []
    )
