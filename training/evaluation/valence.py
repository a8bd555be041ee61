"""Whether what a model calls positive is what people felt good about: P(positive) against rated valence.

The pictures' own label set does not matter, so a model can be judged on a data set of other emotions (Emotion6 of Peng
et al., CVPR 2015, rates valence from 1 to 9).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from emotion.arrays import ProbabilityRows
from emotion.console import progress
from emotion.errors import DataError
from emotion.predictor import Predictor
from emotion.taxonomy import Polarity
from training.data.layouts import Labelled, Layout, read_layout
from training.evaluation.intervals import RESAMPLES
from training.evaluation.unseen import UnseenPictures

SEED: Final = 0
BATCH: Final = 16
MIN_PICTURES: Final = 3
"""Two always agree or disagree perfectly."""


class ValenceFigures(NamedTuple):
    """How P(positive) goes with rated valence."""

    pictures: int
    spearman: float
    """Rank correlation, -1..1."""
    low: float
    high: float
    """Its 95 % bootstrap interval over the pictures."""
    auc: float | None
    """Of valence above the middle of the scale against below; those at the middle are left out. None without both."""


def measure_valence(
    predictor: Predictor, data: Path, layout: Layout | None = None, middle: float = 5.0
) -> ValenceFigures:
    """Judge every picture whose valence is known; those that trained the model are left out.

    Raises DataError when the label set has no two sides, `middle` is no number, or fewer than three pictures can be
    judged, or none differs from another; says why.
    """
    if not math.isfinite(middle):
        raise DataError(f"the middle of the scale cannot be {middle}; name a number on the scale of `valence`")
    if not predictor.taxonomy.has_polarity:
        raise DataError(f"{predictor.bundle.path} has a label set without polarity: nothing to hold against valence")
    rated = [picture for picture in read_layout(data, predictor.taxonomy, None, layout).pictures if _is_rated(picture)]
    unseen = UnseenPictures(predictor)
    positive, valence = _judge(predictor, rated, unseen)
    if len(valence) < MIN_PICTURES:
        raise DataError(
            f"{data} has {len(rated)} pictures with a number in a column `valence`, of which {len(valence)} can be "
            f"judged{unseen.why()}; it takes {MIN_PICTURES}"
        )
    if np.ptp(valence) == 0:
        raise DataError(f"all {len(valence)} pictures of {data} have one valence, {valence[0]:g}: nothing to rank")
    if np.ptp(positive) == 0:
        raise DataError(f"the model gives all {len(valence)} pictures of {data} one P(positive): nothing to rank")
    return valence_figures(positive, valence, middle)


def valence_figures(
    positive: Float64[np.ndarray, "n"], valence: Float64[np.ndarray, "n"], middle: float
) -> ValenceFigures:
    """Rank correlation with its interval, and AUC."""
    rng = np.random.default_rng(SEED)
    drawn = [rng.integers(len(valence), size=len(valence)) for _ in range(RESAMPLES)]
    # A draw of one value again and again has no rank correlation; it happens with a handful of pictures only.
    spread = [rows for rows in drawn if np.ptp(valence[rows]) and np.ptp(positive[rows])]
    low, high = np.percentile([_spearman(positive[rows], valence[rows]) for rows in spread], (2.5, 97.5))
    sided = valence != middle
    is_good = valence[sided] > middle
    auc = float(roc_auc_score(is_good, positive[sided])) if 0 < is_good.sum() < len(is_good) else None
    return ValenceFigures(len(valence), _spearman(positive, valence), float(low), float(high), auc)


def _spearman(a: Float64[np.ndarray, "n"], b: Float64[np.ndarray, "n"]) -> float:
    return float(spearmanr(a, b).statistic)


def _is_rated(picture: Labelled) -> bool:
    """Tables write `nan` where nobody rated."""
    return picture.valence is not None and math.isfinite(picture.valence)


def _judge(
    predictor: Predictor, rated: Sequence[Labelled], unseen: UnseenPictures
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
    """P(positive) and valence of each picture that can be read and did not train the model."""
    positive, valence = [np.empty(0)], []
    with progress("valence", len(rated), "pictures") as advance:
        for start in range(0, len(rated), BATCH):
            pixels = []
            for picture in rated[start : start + BATCH]:
                prepared = unseen.prepare(picture.path)
                if prepared is not None:
                    pixels.append(prepared)
                    valence.append(picture.valence)
            if pixels:
                positive.append(_positive(predictor, predictor.infer(np.stack(pixels)).probabilities))
            advance(len(rated[start : start + BATCH]))
    unseen.report()
    return np.concatenate(positive).astype(np.float64), np.array(valence, dtype=np.float64)


def _positive(predictor: Predictor, probs: ProbabilityRows) -> Float32[np.ndarray, "n"]:
    """P(positive): the positive emotions' sum; where a picture has several, the positive side's share as served."""
    if predictor.thresholds is not None:
        return predictor.taxonomy.polarity_probabilities(probs, several=True)[Polarity.POSITIVE]
    return np.asarray(probs[:, predictor.taxonomy.polarity_codes() == 1].sum(axis=1))
