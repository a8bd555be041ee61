"""Every figure of every row with its interval, and of any two rows the paired difference."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float64

from emotion.taxonomy import Taxonomy
from training.evaluation.evaluate import Scored, join_scored
from training.evaluation.intervals import RESAMPLES, Estimate
from training.evaluation.outcome import ORDER, Outcome, interval
from training.evaluation.paired import Difference
from training.experiments.rows import Row
from training.experiments.store import Store


class Setting(StrEnum):
    """What a test picture searches."""

    UNSEEN_GALLERY = "unseen_gallery"
    """The rest of its own fold: the case of a gallery that the model was not trained on."""
    PAPER_PROTOCOL = "paper_protocol"
    """The training folds."""
    LEAVE_ONE_OUT = "leave_one_out"
    """All other pictures: the training folds and the rest of its own, under the model of its fold."""


BOTH: Final = (Setting.UNSEEN_GALLERY, Setting.PAPER_PROTOCOL)
NAMES: Final = tuple(Outcome.names())
T = TypeVar("T")


Over = tuple[str, tuple[int, ...], int, Setting]
"""A row, the folds and the number of seeds that its figures are over, and what is searched."""


class _Drawn(NamedTuple):
    """A row over some folds."""

    values: Float64[np.ndarray, "k"]
    resampled: Float64[np.ndarray, "r k"]


class Figures:
    """The figures of rows over what is done of them; a row is read once for the folds that it is asked for over.

    All test pictures of the folds count alike, each within its own fold. Of several seeds each picture's mean is taken
    first; a seed counts where all of those folds are done with it. Intervals resample the pictures within their folds,
    the same ones for all rows: what another seed of a training would change is in them only as far as seeds were
    averaged.
    """

    def __init__(
        self,
        store: Store,
        rows: Sequence[Row],
        taxonomy: Taxonomy,
        resamples: int = RESAMPLES,
        settings: Sequence[Setting] = BOTH,
    ) -> None:
        self.rows = {row.key: row for row in rows}
        self.resamples = resamples
        self._store = store
        self._settings = tuple(settings)
        self._taxonomy = taxonomy
        self._done: dict[str, list[list[int]]] = {}
        self._drawn: dict[Over, _Drawn] = {}
        self._of: dict[Over, dict[str, Estimate]] = {}
        self._between: dict[tuple[Over, Over], dict[str, Difference]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look again at what is done; call it when a cell has been finished."""
        self._done = {key: self._store.done_folds(row) for key, row in self.rows.items()}

    def folds(self, key: str) -> tuple[int, ...]:
        """The folds that are done of a row."""
        done = self._done[key]
        return tuple(done[0]) if done else ()

    def n_seeds(self, key: str, folds: Sequence[int] | None = None) -> int:
        """How many seeds are behind a row's figures over these folds, or over all that are done."""
        wanted = set(self.folds(key) if folds is None else folds)
        return sum(wanted <= set(done) for done in self._done[key]) if wanted else 0

    def n_pictures(self, key: str) -> int:
        """How many test pictures a row's figures are over."""
        cells = self._store.cells(self.rows[key], self.folds(key))
        return sum(len(cell.test) for cell in cells if cell.repeat == 0)

    def of(self, key: str, setting: Setting) -> dict[str, Estimate]:
        """Every figure of a row that can be measured, in ORDER; empty where nothing is done."""
        if not (folds := self.folds(key)):
            return {}
        over = self._over(key, folds, setting)
        if over not in self._of:
            self._of[over] = self._estimates(over)
        return self._of[over]

    def between(self, base: str, other: str, setting: Setting) -> dict[str, Difference]:
        """Every figure of `other` less that of `base`, over the folds that are done of both; empty without any."""
        folds = tuple(number for number in self.folds(base) if number in self.folds(other))
        if not folds:
            return {}
        pair = self._over(base, folds, setting), self._over(other, folds, setting)
        if pair not in self._between:
            self._between[pair] = self._differences(*pair)
        return self._between[pair]

    def _over(self, key: str, folds: tuple[int, ...], setting: Setting) -> Over:
        return key, folds, self.n_seeds(key, folds), setting

    def _estimates(self, over: Over) -> dict[str, Estimate]:
        values, resampled = self._draw(over)
        found = {}
        for name, value, drawn in zip(NAMES, values.tolist(), resampled.T, strict=True):
            if (bounds := interval(drawn, value)) is not None:
                found[name] = Estimate(value, max(0.0, bounds[0]), min(1.0, bounds[1]))
        return _in_order(found)

    def _differences(self, base: Over, other: Over) -> dict[str, Difference]:
        one, two = self._draw(base), self._draw(other)
        found = {}
        for name, before, after, gains in zip(
            NAMES, one.values.tolist(), two.values.tolist(), (two.resampled - one.resampled).T, strict=True
        ):
            if (bounds := interval(gains, after - before)) is not None:
                found[name] = Difference(name, before, after, after - before, *bounds)
        return _in_order(found)

    def _draw(self, over: Over) -> _Drawn:
        key, folds, n_seeds, _ = over
        if over not in self._drawn:
            by_setting = self._outcomes(key, folds)
            for each, outcomes in by_setting.items():
                values = np.mean([outcome.figures() for outcome in outcomes], axis=0)
                resampled = np.mean([outcome.drawn(self.resamples) for outcome in outcomes], axis=0)
                self._drawn[key, folds, n_seeds, each] = _Drawn(values, resampled)
        return self._drawn[over]

    def _outcomes(self, key: str, folds: tuple[int, ...]) -> dict[Setting, list[Outcome]]:
        """An outcome for each seed with which all the folds are done."""
        found: dict[Setting, list[Outcome]] = {setting: [] for setting in self._settings}
        for repeat, done in enumerate(self._done[key]):
            if set(folds) <= set(done):
                cells = [cell for cell in self._store.cells(self.rows[key], folds) if cell.repeat == repeat]
                tests, galleries = zip(*(self._store.read(cell) for cell in cells), strict=True)
                for setting, outcomes in found.items():
                    outcomes.append(Outcome(tests, self._taxonomy, _searched(setting, tests, galleries)))
        return found


def _searched(setting: Setting, tests: Sequence[Scored], training: Sequence[Scored]) -> Sequence[Scored] | None:
    match setting:
        case Setting.UNSEEN_GALLERY:
            return None
        case Setting.PAPER_PROTOCOL:
            return training
        case Setting.LEAVE_ONE_OUT:
            return [join_scored(parts) for parts in zip(tests, training, strict=True)]


def _in_order(found: Mapping[str, T]) -> dict[str, T]:
    return {name: found[name] for name in ORDER if name in found}
