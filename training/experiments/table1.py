"""Table 1 of Yang et al., AAAI-18: which constraint and which feature, row by row, and what this project ships."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from training.config import TrainingConfig
from training.experiments.budget import Budget
from training.experiments.recipes import N_SEEDS, besides, in_words, recipe
from training.experiments.rows import Row
from training.experiments.table import Study
from training.experiments.trained import config_of, with_seeds

BASE: Final = "softmax"
FC: Final = ("network.embedding=fc", "network.head_input=embedding")
"""512 values, read by the class head: the paper's FC feature."""
SV: Final = ("network.embedding=sentiment_vector", "network.head_input=features")
RANDOM: Final = ("network.head_init=random", "network.sv_init=random")
PRESET: Final = {Budget.QUICK: "default", Budget.FULL: "paper"}
RATES: Final = {
    # The paper's ratio, new layers tenfold; AdamW, because its SGD moves little in the 84 steps of 12 such epochs.
    Budget.QUICK: (
        *("optim.optimizer=adamw", "optim.lr_backbone=1e-4", "optim.lr=1e-3", "optim.lr_head=1e-3"),
        *("loss.w=0.7", "loss.label_smoothing=0"),
    ),
    Budget.FULL: (),
}


class _Spec(NamedTuple):
    key: str
    title: str
    overrides: tuple[str, ...]
    source: tuple[float, float, float]
    """Accuracy, mAP8, mAP2 on FI; the ticks of the printed table allow one reading."""


def _triplet(mining: str, *more: str) -> tuple[str, ...]:
    return (*FC, "loss.embedding=triplet", f"loss.mining={mining}", *more)


SPECS: Final = (
    _Spec(BASE, "softmax, FC", (*FC, "loss.embedding=none"), (0.6518, 0.3583, 0.6773)),
    _Spec("center", "softmax + center, FC", (*FC, "loss.embedding=center"), (0.6314, 0.3695, 0.7254)),
    _Spec("triplet", "triplet, random, FC", _triplet("random", "loss.w=1"), (0.6346, 0.3712, 0.7278)),
    _Spec("triplet_random", "softmax + triplet, random, FC", _triplet("random"), (0.6408, 0.4016, 0.7456)),
    _Spec("triplet_hard", "softmax + triplet, hard, FC", _triplet("hard"), (0.6458, 0.4228, 0.7532)),
    _Spec("triplet_semi_hard", "softmax + triplet, semi-hard, FC", _triplet("semi_hard"), (0.6535, 0.4426, 0.7592)),
    _Spec("sentiment_fc", "softmax + sentiment, FC", (*FC, "loss.embedding=sentiment"), (0.6584, 0.4575, 0.7913)),
    _Spec("sentiment_sv", "softmax + sentiment, SV", (*SV, "loss.embedding=sentiment"), (0.6764, 0.4885, 0.8098)),
)
NOTE: Final = (
    "The first eight rows start as the paper's: the trunk from ImageNet, embedding and class head at random; in the "
    "row of triplets alone w = 1, and its head is a probe on the trained embedding. The last two are this project's: "
    "the recipe that it ships, which starts from a linear probe, and that start, untrained."
)


def study(rows: Sequence[Row], sets: Sequence[str] = ()) -> Study:
    """What the table of these rows, all that `make_rows` gives, says of itself."""
    configs = {row.key: config_of(row) for row in rows}
    return Study(
        name="table1",
        title="Constraints and features",
        source="Yang et al., AAAI-18, Table 1; FI, 22,713 pictures, GoogLeNet",
        base=BASE,
        notes=(NOTE, *recipes_in_words(configs["center"], configs["ours"]), *besides(sets)),
    )


def recipes_in_words(paper: TrainingConfig, ours: TrainingConfig) -> tuple[str, str]:
    """Paragraphs on what all rows of the paper share, and on the recipe that this project ships."""
    return f"The paper's rows: {in_words(paper)}.", f"(ours): {in_words(ours)}."


def make_rows(
    budget: Budget,
    *,
    backbone: str,
    weights: Path | None = None,
    sets: Sequence[str] = (),
    n_seeds: int | None = None,
) -> list[Row]:
    """The paper's eight rows and our two; raises ConfigError where a setting does nothing in one of them."""

    def made(source: str, row: Sequence[str], before: Sequence[str] = ()) -> TrainingConfig:
        return recipe(source, budget, backbone=backbone, weights=weights, sets=[*before, *sets], row=row)

    n = n_seeds or N_SEEDS[budget]
    rows = []
    for key, title, overrides, (accuracy, map8, map2) in SPECS:
        config = made(PRESET[budget], [f"name={key}", *RANDOM, *overrides], RATES[budget])
        rows.append(_row(key, title, config, n, {"accuracy": accuracy, "mAP8": map8, "mAP2": map2}))
    ours = made("default", ["name=ours"])
    probe = made("probe", ["name=probe", "network.freeze_trunk=true", "loop.epochs=0"])
    rows.append(_row("ours", "(ours) the recipe shipped, SV from a probe", ours, n))
    rows.append(_row("probe", "(ours) its start, untrained", probe, 1))
    return rows


def _row(key: str, title: str, config: TrainingConfig, n_seeds: int, source: dict[str, float] | None = None) -> Row:
    method, *repeats = with_seeds(config, n_seeds)
    return Row(key, title, method, source or {}, tuple(repeats))
