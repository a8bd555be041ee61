"""Whether confidence can be believed, and the temperature that makes it so (Guo et al., ICML 2017)."""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64
from scipy.optimize import minimize_scalar

from training.evaluation.classification import expected_calibration_error

RANGE: Final = (0.2, 5.0)

Probs = Float32[np.ndarray, "n c"]


class Calibration(NamedTuple):
    """Of predictions on pictures that were not trained on."""

    temperature: float
    """What the logits are to be divided by, found on all predictions."""
    ece: float
    ece_scaled: float
    """With temperatures that were found on the other folds."""
    nll: float
    nll_scaled: float


def calibrate(probs: Probs, labels: Int64[np.ndarray, "n"], folds: Int64[np.ndarray, "n"]) -> Calibration:
    """Find the temperature of out-of-fold predictions; each fold is judged under one found without it.

    With a single fold there are no others: it is judged under its own, which flatters.
    """
    scaled = rescale_by_others(probs, labels, folds)
    return Calibration(
        fit_temperature(probs, labels),
        expected_calibration_error(probs, labels),
        expected_calibration_error(scaled, labels),
        nll(probs, labels),
        nll(scaled, labels),
    )


def rescale_by_others(probs: Probs, labels: Int64[np.ndarray, "n"], folds: Int64[np.ndarray, "n"]) -> Probs:
    """Each fold under the temperature that suits the others; a single fold under its own."""
    scaled, numbers = probs.copy(), np.unique(folds)
    for fold in numbers:
        mine = folds == fold
        others = ~mine if len(numbers) > 1 else mine
        scaled[mine] = rescale(probs[mine], fit_temperature(probs[others], labels[others]))
    return scaled


def fit_temperature(probs: Probs, labels: Int64[np.ndarray, "n"]) -> float:
    """The temperature of least negative log likelihood, within 0.2 to 5."""
    bounds = tuple(np.log(RANGE))
    found = minimize_scalar(lambda t: nll(rescale(probs, float(np.exp(t))), labels), bounds=bounds, method="bounded")
    return float(np.exp(found.x))


def rescale(probs: Probs, temperature: float) -> Probs:
    """The probabilities that the same logits give under a temperature."""
    powers = np.maximum(probs, np.finfo(np.float32).tiny).astype(np.float64) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def nll(probs: Probs, labels: Int64[np.ndarray, "n"]) -> float:
    """Mean negative log probability of the true emotion."""
    named = probs[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(named, np.finfo(np.float32).tiny)).mean())
