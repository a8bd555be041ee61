import numpy as np
import pytest

from emotion.taxonomy import MIKELS
from training.evaluation.classification import classification_metrics, expected_calibration_error


def _probs(*winners: str, confidence: float = 0.65) -> np.ndarray:
    probs = np.full((len(winners), 8), (1 - confidence) / 7, dtype=np.float32)
    for row, name in enumerate(winners):
        probs[row, MIKELS.index(name)] = confidence
    return probs


def test_a_case_by_hand() -> None:
    labels = np.array([MIKELS.index(name) for name in ("awe", "awe", "fear", "anger")])
    m = classification_metrics(_probs("awe", "contentment", "awe", "anger"), labels, MIKELS)
    assert m.accuracy == 0.5
    assert m.accuracy_polarity == 0.75
    # F1: awe 1/2 (one hit of two, one false), fear 0, anger 1
    assert m.macro_f1 == pytest.approx((0.5 + 0 + 1) / 3)
    assert m.confusion.sum() == 4
    assert m.confusion[MIKELS.index("fear"), MIKELS.index("awe")] == 1


def test_polarity_is_the_larger_sum_and_not_the_winner() -> None:
    probs = np.zeros((1, 8), dtype=np.float32)
    probs[0, MIKELS.index("fear")] = 0.4
    probs[0, [MIKELS.index("awe"), MIKELS.index("amusement")]] = 0.3
    m = classification_metrics(probs, np.array([MIKELS.index("awe")]), MIKELS)
    assert (m.accuracy, m.accuracy_polarity) == (0, 1)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    labels = np.array([MIKELS.index("awe")] * 10)
    probs = _probs(*(["awe"] * 6 + ["fear"] * 4), confidence=0.9)
    assert expected_calibration_error(probs, labels) == pytest.approx(0.3, abs=1e-6)
