"""How much the weight of the sentiment loss and its second margin matter: Yang et al., AAAI-18, "Hyper-parameters"."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from emotion.errors import ConfigError
from training.evaluation.paired import Difference
from training.experiments.budget import Budget
from training.experiments.figures import Figures, Setting
from training.experiments.recipes import N_SEEDS, besides, in_words, recipe
from training.experiments.rows import Row
from training.experiments.table import Study
from training.experiments.trained import with_seeds
from training.loss_settings import EmbeddingLoss

OMEGAS: Final = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
ALPHAS2: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.4)
CLAIMED_OMEGAS: Final = (0.6, 0.7, 0.8)
CLAIMED_ALPHAS2: Final = (0.1, 0.15, 0.2)
CLAIMED_SPREAD: Final = 0.005
"""Of the accuracy; the paper says "within 0.5 %"."""


class Sweep:
    """The points around a base recipe: one line of w, one of alpha2, which meet in the base."""

    def __init__(
        self,
        source: str,
        budget: Budget,
        *,
        backbone: str | None = None,
        weights: Path | None = None,
        sets: Sequence[str] = (),
        n_seeds: int | None = None,
    ) -> None:
        """Raises ConfigError where the base recipe has no sentiment loss."""
        self.base = recipe(source, budget, backbone=backbone, weights=weights, sets=sets)
        if self.base.loss.embedding not in (EmbeddingLoss.SENTIMENT, EmbeddingLoss.ADAPTIVE):
            raise ConfigError(f"hyper sweeps margins that loss.embedding={self.base.loss.embedding} does not have")
        self.n_seeds = n_seeds or N_SEEDS[budget]
        self.sets = tuple(sets)
        self.w, self.alpha2 = self.base.loss.w, self.base.loss.alpha2

    def rows(self) -> list[Row]:
        """A row for each point; the base is one of them, once."""
        points = {(w, self.alpha2) for w in (*OMEGAS, self.w)} | {(self.w, alpha2) for alpha2 in ALPHAS2}
        along = sorted(points, key=lambda point: (point[0] == self.w and point[1] != self.alpha2, point))
        return [self._row(w, alpha2) for w, alpha2 in along]

    def study(self) -> Study:
        """What the table says of itself, and the source's claims held against it."""
        return Study(
            name="hyper",
            title="The weight of the sentiment loss and its second margin",
            source='Yang et al., AAAI-18, "Hyper-parameters"; FI',
            base=key(self.w, self.alpha2),
            notes=(
                f"Everything but the two as in the base, w = {self.w:g} and alpha2 = {self.alpha2:g}.",
                f"The base: {in_words(self.base)}.",
                *besides(self.sets),
            ),
            remarks=(self._omega_claim, self._alpha2_claim),
            orders=False,
        )

    def _row(self, w: float, alpha2: float) -> Row:
        loss = self.base.loss.model_copy(update={"w": w, "alpha2": alpha2})
        config = self.base.model_copy(update={"loss": loss, "name": key(w, alpha2)})
        method, *repeats = with_seeds(config, self.n_seeds)
        title = f"w = {w:g}, alpha2 = {alpha2:g}"
        return Row(key(w, alpha2), title, method, repeats=tuple(repeats))

    def _omega_claim(self, figures: Figures) -> str:
        keys = {key(w, self.alpha2): f"w = {w:g}" for w in CLAIMED_OMEGAS}
        claim = "The source, of w: accuracy changes by no more than .5 points from .6 to .8."
        widest = _widest(figures, list(keys), Setting.UNSEEN_GALLERY, "accuracy")
        if widest is None:
            return f"{claim} Not all of these are done here yet."
        (low, high), d = widest
        told = f"{keys[low]} and {keys[high]} are farthest apart, {_said(d)}"
        if max(abs(d.low), abs(d.high)) <= CLAIMED_SPREAD:
            return f"{claim} So it is here: {told}."
        if d.low > CLAIMED_SPREAD:
            return f"{claim} Not so here: {told}."
        return f"{claim} Here {told}: so few pictures can neither confirm nor refute it."

    def _alpha2_claim(self, figures: Figures) -> str:
        keys = {key(self.w, alpha2): f"alpha2 = {alpha2:g}" for alpha2 in CLAIMED_ALPHAS2}
        claim = "The source, of alpha2: stable from .1 to .2, without a figure."
        told = []
        for name in ("accuracy", "mAP8"):
            widest = _widest(figures, list(keys), Setting.UNSEEN_GALLERY, name)
            if widest is None:
                return f"{claim} Not all of these are done here yet."
            (low, high), d = widest
            told.append(f"{name} {keys[low]} and {keys[high]}, {_said(d)}{', told apart' if d.verdict else ''}")
        return f"{claim} Farthest apart here: {'; '.join(told)}. {self._outside(figures)}"

    def _outside(self, figures: Figures) -> str:
        """Which margins beyond the claimed range can be told from its lower end."""
        told = []
        for alpha2 in ALPHAS2:
            between = figures.between(key(self.w, 0.1), key(self.w, alpha2), Setting.UNSEEN_GALLERY)
            if alpha2 not in CLAIMED_ALPHAS2 and "mAP8" in between and between["mAP8"].verdict:
                told.append(f"{alpha2:g} ({between['mAP8'].verdict}, {_said(between['mAP8'])})")
        return f"Beyond that range mAP8 differs from that of .1 at {', '.join(told) or 'none of those done'}."


def key(w: float, alpha2: float) -> str:
    """A point's folder."""
    return f"w{w:g}-alpha2_{alpha2:g}"


def _widest(
    figures: Figures, keys: Sequence[str], setting: Setting, name: str
) -> tuple[tuple[str, str], Difference] | None:
    """The lowest and the highest row by a figure and what lies between them; None where one is not done."""
    values = {each: figures.of(each, setting).get(name) for each in keys}
    if any(value is None for value in values.values()):
        return None
    ranked = sorted(keys, key=lambda each: value.value if (value := values[each]) else 0.0)
    return (ranked[0], ranked[-1]), figures.between(ranked[0], ranked[-1], setting)[name]


def _said(difference: Difference) -> str:
    return f"{difference.difference:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
