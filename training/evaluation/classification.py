"""How well the class head names emotions, and how far its confidence can be believed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64
from sklearn.metrics import confusion_matrix, f1_score

from emotion.taxonomy import Polarity, Taxonomy

ECE_BINS = 15


@dataclass(frozen=True)
class ClassificationMetrics:
    """Fractions in 0..1; `confusion[i, j]` counts pictures of emotion i named j."""

    accuracy: float
    accuracy_polarity: float
    macro_f1: float
    ece: float
    confusion: Int64[np.ndarray, "c c"]


def classification_metrics(
    probs: Float32[np.ndarray, "n c"], labels: Int64[np.ndarray, "n"], taxonomy: Taxonomy
) -> ClassificationMetrics:
    """All metrics of the head; polarity is the larger summed probability, over pictures whose label takes a side."""
    predicted = probs.argmax(axis=1)
    sided = polarity_correct(probs, labels, taxonomy)
    classes = np.arange(len(taxonomy.emotions))
    return ClassificationMetrics(
        accuracy=float((predicted == labels).mean()),
        accuracy_polarity=float(sided.mean()) if len(sided) else float("nan"),
        macro_f1=float(f1_score(labels, predicted, average="macro", labels=np.unique(labels), zero_division=0)),
        ece=expected_calibration_error(probs, labels),
        confusion=confusion_matrix(labels, predicted, labels=classes),
    )


def polarity_correct(
    probs: Float32[np.ndarray, "n c"], labels: Int64[np.ndarray, "n"], taxonomy: Taxonomy
) -> Bool[np.ndarray, "s"]:
    """Whether the larger summed probability names the right side, for the pictures whose label takes one."""
    sides = taxonomy.polarity_probabilities(probs)
    truth = taxonomy.polarity_codes()[labels]
    named = sides[Polarity.POSITIVE] > sides[Polarity.NEGATIVE]
    return np.asarray((named == truth)[truth >= 0])


def expected_calibration_error(probs: Float32[np.ndarray, "n c"], labels: Int64[np.ndarray, "n"]) -> float:
    """Mean gap between confidence and accuracy over 15 equal bins (Guo et al., ICML 2017)."""
    confidence = probs.max(axis=1)
    correct = probs.argmax(axis=1) == labels
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = [
        abs(correct[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean()
        for b in range(ECE_BINS)
        if (bins == b).any()
    ]
    return float(sum(gaps))
