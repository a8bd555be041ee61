"""Two recipes on the same folds: differences with paired bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from emotion.errors import DataError
from training.evaluation.intervals import RESAMPLES
from training.evaluation.out_of_fold import CrossvalRun
from training.evaluation.outcome import ORDER, Outcome, interval, verdict


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
        return verdict(self.figure, self.difference, self.low, self.high)


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
    one, two = (Outcome([fold.scored for fold in run.folds], run.taxonomy) for run in (baseline, other))
    values = one.figures(), two.figures()
    drawn = two.drawn(resamples) - one.drawn(resamples)
    found = []
    for name, before, after, gains in zip(Outcome.names(), *values, drawn.T, strict=True):
        bounds = interval(gains, after - before)
        if bounds is not None:
            found.append(Difference(name, float(before), float(after), float(after - before), *bounds))
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
