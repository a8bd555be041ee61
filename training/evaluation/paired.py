"""Two recipes on the same folds: differences with paired bootstrap intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float64, Int64

from emotion.errors import DataError
from emotion.taxonomy import Taxonomy
from training.evaluation.classification import expected_calibration_error, macro_f1, polarity_correct
from training.evaluation.evaluate import Field, Scored, join_scored
from training.evaluation.intervals import RESAMPLES, per_query
from training.evaluation.out_of_fold import CrossvalRun
from training.evaluation.ranking import ranking
from training.evaluation.retrieval import MEANS

LOWER_IS_BETTER: Final = ("ece", "ANMRR")
ORDER: Final = (
    *("accuracy", "accuracy_polarity", "macro_f1", "ece", "mAP8", "mAP2", "NN", "P10", "FT", "ST", "DCG", "ANMRR"),
    *("prob_mAP8", "prob_mAP2", "prob_NN", "prob_P10"),
)
"""As in Evaluation.figures."""
SEED: Final = 0
_BY_EMOTION: Final = ("mAP8", "NN", "FT", "ST", "DCG", "ANMRR", "P10")
"""The names that people know, in the order of MEANS."""
_OF_PROBS: Final = ("mAP8", "NN", "P10")


@dataclass(frozen=True)
class Difference:
    """One figure of two runs over the same pictures; fractions in 0..1."""

    figure: str
    baseline: float
    other: float
    difference: float
    """other - baseline."""
    low: float
    high: float
    """95 % interval of the difference."""

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the interval leaves zero out, else empty."""
        if self.low <= 0 <= self.high:
            return ""
        return "better" if (self.difference > 0) == (self.figure not in LOWER_IS_BETTER) else "worse"


def compare(baseline: CrossvalRun, other: CrossvalRun, resamples: int = RESAMPLES) -> list[Difference]:
    """Every figure over all out-of-fold pictures, of both runs.

    Classification counts all pictures at once. Retrieval takes each query within its own fold, then the mean over the
    queries; so the figures are close to, not equal to, the mean over the folds. Intervals resample the pictures
    within each fold, the same ones for both runs; the models and the galleries are held fixed, so what another seed
    of the training would change is not in them. A figure that cannot be measured is left out, and so is a resample
    without a picture that it counts.

    Raises DataError when the runs do not predict the same pictures fold by fold.
    """
    check_same_pictures(baseline, other)
    folds = np.repeat(np.arange(len(baseline.folds)), [len(fold.scored.labels) for fold in baseline.folds])
    one, two = _Outcome(baseline), _Outcome(other)
    everything = np.arange(len(folds))
    values = one.figures(everything), two.figures(everything)
    rng = np.random.default_rng(SEED)
    drawn = np.stack([two.figures(rows) - one.figures(rows) for rows in _resampled(folds, resamples, rng)])
    observed = values[1] - values[0]
    found = []
    for name, before, after, gain, gains in zip(_Outcome.names(), *values, observed, drawn.T, strict=True):
        measured = gains[~np.isnan(gains)]
        if np.isnan(gain) or not len(measured):
            continue
        # As in intervals._bootstrap: nothing for means; takes out the bias of macro F1 and of the calibration error.
        low, high = np.percentile(measured - measured.mean() + gain, (2.5, 97.5))
        found.append(Difference(name, *map(float, (before, after, gain, low, high))))
    return sorted(found, key=lambda difference: ORDER.index(difference.figure))


def check_same_pictures(baseline: CrossvalRun, other: CrossvalRun) -> None:
    """Raises DataError naming the first thing in which the folds differ."""
    if baseline.taxonomy.names != other.taxonomy.names:
        raise DataError(f"{baseline.path} and {other.path} have different label sets")
    numbers = [[fold.number for fold in run.folds] for run in (baseline, other)]
    if numbers[0] != numbers[1]:
        raise DataError(f"{baseline.path} has folds {numbers[0]}, {other.path} {numbers[1]}; run crossval on the same")
    for one, two in zip(baseline.folds, other.folds, strict=True):
        truth = [{s.digest: s.label for s in fold.scored.samples} for fold in (one, two)]
        if different := set(truth[0].items()) ^ set(truth[1].items()):
            n = len({digest for digest, _ in different})
            raise DataError(
                f"fold {one.number} of {baseline.path} and of {other.path} differ in {n} pictures or their labels; "
                "run both on the same --data, --n-folds and --fold-seed, or copy folds.json into the new --out first"
            )


def as_table(differences: Sequence[Difference], baseline: str, other: str) -> str:
    """For people, in Markdown."""
    columns = ("figure", baseline, other, "difference", "95 % interval", "")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for d in differences:
        lines.append(
            f"| {d.figure} | {d.baseline:.3f} | {d.other:.3f} | {d.difference:+.3f} | "
            f"[{d.low:+.3f}, {d.high:+.3f}] | {d.verdict} |"
        )
    return "\n".join(lines)


def as_json(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    """One object a figure, rounded."""
    rounded = ({k: v if isinstance(v, str) else round(v, 5) for k, v in asdict(d).items()} for d in differences)
    return [row | {"verdict": d.verdict or None} for row, d in zip(rounded, differences, strict=True)]


class _Outcome:
    """A run's pictures, ordered fold by fold and by content hash, and what each adds to every figure."""

    def __init__(self, run: CrossvalRun) -> None:
        parts = [_by_digest(fold.scored) for fold in run.folds]
        joined = join_scored(parts)
        self.probs, self.labels = joined.probs, joined.labels
        self.named = joined.probs.argmax(axis=1)
        self.shares = np.column_stack(
            [
                self.named == self.labels,
                _polarity(joined, run.taxonomy),
                np.concatenate([_retrieval(part, run.taxonomy) for part in parts]),
            ]
        )

    @staticmethod
    def names() -> list[str]:
        """The figures, in the order of `figures`."""
        probs = [f"prob_{name}" for name in (*_OF_PROBS, "mAP2")]
        return ["macro_f1", "ece", "accuracy", "accuracy_polarity", *_BY_EMOTION, "mAP2", *probs]

    def figures(self, rows: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "k"]:
        """Every figure over these rows; NaN where no row takes part."""
        y = self.labels[rows]
        whole = [macro_f1(y, self.named[rows]), expected_calibration_error(self.probs[rows], y)]
        shares = self.shares[rows]
        counted = (~np.isnan(shares)).sum(axis=0)
        means = np.where(counted > 0, np.nansum(shares, axis=0) / np.maximum(counted, 1), np.nan)
        return np.concatenate([whole, means])


def _by_digest(scored: Scored) -> Scored:
    order = np.argsort([sample.digest for sample in scored.samples])
    samples = tuple(scored.samples[row] for row in order)
    return Scored(scored.embeddings[order], scored.probs[order], scored.labels[order], samples)


def _polarity(scored: Scored, taxonomy: Taxonomy) -> Float64[np.ndarray, "n"]:
    correct = polarity_correct(scored.probs, scored.labels, taxonomy)
    sided = taxonomy.polarity_codes()[scored.labels] >= 0
    found = np.full(len(sided), np.nan)
    if len(correct):
        found[sided] = correct
    return found


def _retrieval(scored: Scored, taxonomy: Taxonomy) -> Float64[np.ndarray, "n k"]:
    """Leave-one-out within the fold: by emotion and by polarity, sentiment vector and class probabilities."""

    def both(field: Field) -> tuple[Float64[np.ndarray, "n 7"], Float64[np.ndarray, "n 7"]]:
        ranked = ranking(scored, None, taxonomy, field)
        return _aligned(ranked.by_emotion), _aligned(ranked.by_polarity)

    (emotion, polarity), (prob_emotion, prob_polarity) = both("embeddings"), both("probs")
    ap = MEANS.index("mean_ap")
    wanted = [_BY_EMOTION.index(name) for name in _OF_PROBS]
    return np.column_stack([emotion, polarity[:, ap], prob_emotion[:, wanted], prob_polarity[:, ap]])


def _aligned(relevant: Bool[np.ndarray, "q m"]) -> Float64[np.ndarray, "q 7"]:
    found = np.full((len(relevant), len(MEANS)), np.nan)
    found[relevant.any(axis=1)] = per_query(relevant)
    return found


def _resampled(folds: Int64[np.ndarray, "n"], times: int, rng: np.random.Generator) -> Iterator[Int64[np.ndarray, "n"]]:
    """Rows drawn with replacement, from each fold as many as it has."""
    members = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    for _ in range(times):
        yield np.concatenate([rng.choice(rows, len(rows)) for rows in members])
