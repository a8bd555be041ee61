import numpy as np
import pytest

from training.evaluation.calibration import calibrate, fit_temperature, rescale


def overconfident(n: int, factor: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(logits), and what a model that multiplies the logits by `factor` says."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 8))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(8, p=row) for row in true])
    said = np.exp(factor * logits)
    return (said / said.sum(axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_the_factor(factor):
    assert fit_temperature(*overconfident(4000, factor)) == pytest.approx(factor, rel=0.06)


def test_rescaling_softens_and_keeps_the_order():
    probs, _ = overconfident(5, 3.0)
    soft = rescale(probs, 3.0)
    assert soft.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert (soft.max(axis=1) < probs.max(axis=1)).all()
    assert np.array_equal(soft.argsort(axis=1), probs.argsort(axis=1))
    assert rescale(probs, 1.0) == pytest.approx(probs, abs=1e-6)


def test_scaling_lowers_the_error_of_an_overconfident_model():
    probs, labels = overconfident(2000, 3.0)
    found = calibrate(probs, labels, np.arange(2000) % 5)
    assert found.ece > 0.2
    assert found.ece_scaled < 0.05
    assert found.nll_scaled < found.nll


def test_a_fold_is_judged_by_the_others_temperature():
    calm, calm_labels = overconfident(500, 1.0)
    loud, loud_labels = overconfident(500, 4.0, seed=1)
    probs, labels = np.concatenate([calm, loud]), np.concatenate([calm_labels, loud_labels])
    folds = np.repeat([0, 1], 500)
    scaled = np.concatenate(
        [rescale(calm, fit_temperature(loud, loud_labels)), rescale(loud, fit_temperature(calm, calm_labels))]
    )
    expected = -np.log(scaled[np.arange(1000), labels]).mean()
    assert calibrate(probs, labels, folds).nll_scaled == pytest.approx(expected, rel=1e-5)


def test_one_fold_takes_its_own():
    probs, labels = overconfident(1000, 3.0)
    assert calibrate(probs, labels, np.zeros(1000, dtype=int)).ece_scaled < 0.06
