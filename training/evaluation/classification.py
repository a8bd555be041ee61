"""How well the class head names emotions, and how far its confidence can be believed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64
from sklearn.metrics import confusion_matrix

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
        macro_f1=macro_f1(labels, predicted),
        ece=expected_calibration_error(probs, labels),
        confusion=confusion_matrix(labels, predicted, labels=classes),
    )


def macro_f1(labels: Int64[np.ndarray, "n"], named: Int64[np.ndarray, "n"]) -> float:
    """Mean over the emotions present of 2 TP / (pictures of it + pictures named it)."""
    n_classes = max(int(labels.max()), int(named.max())) + 1
    right = np.bincount(labels[named == labels], minlength=n_classes)
    true, answered = np.bincount(labels, minlength=n_classes), np.bincount(named, minlength=n_classes)
    present = true > 0
    return float((2 * right[present] / (true + answered)[present]).mean())


def polarity_correct(
    probs: Float32[np.ndarray, "n c"], labels: Int64[np.ndarray, "n"], taxonomy: Taxonomy
) -> Bool[np.ndarray, "s"]:
    """Whether the larger summed probability names the right side, for the pictures whose label takes one.

    Empty where the label set has not two sides.
    """
    if not taxonomy.has_polarity:
        return np.zeros(0, dtype=np.bool_)
    sides = taxonomy.polarity_probabilities(probs)
    truth = taxonomy.polarity_codes()[labels]
    named = sides[Polarity.POSITIVE] > sides[Polarity.NEGATIVE]
    return np.asarray((named == truth)[truth >= 0])


def expected_calibration_error(probs: Float32[np.ndarray, "n c"], labels: Int64[np.ndarray, "n"]) -> float:
    """Mean gap between confidence and accuracy over 15 equal bins (Guo et al., ICML 2017)."""
    confidence = probs.max(axis=1)
    correct = probs.argmax(axis=1) == labels
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    # In a bin of n_b of n: |its accuracy - its confidence| n_b / n is the size of the summed gaps over n.
    gaps = np.bincount(bins, weights=correct - confidence.astype(np.float64), minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(labels))
