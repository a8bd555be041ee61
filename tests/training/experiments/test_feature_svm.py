"""The linear SVM on features: probabilities, reduction, and what it needs of the pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.svm import SVC

from emotion.errors import DataError
from training.data.samples import Sample
from training.experiments.feature_svm import (
    N_COMPONENTS,
    FeatureSvm,
    Searched,
    calibration_parts,
    fit_reduction,
    fit_svm,
)


class Numbered:
    """A picture's numbers: its label, and noise that its name decides; more numbers than components are kept."""

    settings: dict[str, Any] = {"kind": "numbered"}  # noqa: RUF012 - as the protocol has it

    def fit(self, train: Sequence[Sample]) -> "Numbered":
        del train
        return self

    def __call__(self, samples: Sequence[Sample]) -> np.ndarray:
        return np.stack([_row(sample) for sample in samples])


def _row(sample: Sample) -> np.ndarray:
    noise = np.random.default_rng(int(sample.digest, 16)).normal(size=150)
    noise[sample.label :: 8] += 3
    return noise.astype(np.float32) * 40 + 7


def _samples(n: int, labels: Sequence[int] = (1, 3, 6), start: int = 0) -> list[Sample]:
    digests = [f"{(start + place) * 7919 % 100003:064x}" for place in range(n)]
    return [Sample(Path(digest), labels[place % len(labels)], digest) for place, digest in enumerate(digests)]


TRAIN, TEST = _samples(45), _samples(30, start=1000)


@pytest.mark.parametrize("searched", list(Searched))
def test_the_scores_are_in_the_order_of_the_hashes_and_right(searched: Searched, tmp_path: Path) -> None:
    test, train = FeatureSvm(Numbered(), 8, searched).score_fold(TRAIN, TEST, tmp_path)
    for scored, samples in ((test, TEST), (train, TRAIN)):
        assert list(scored.samples) == sorted(samples, key=lambda sample: sample.digest)
        assert scored.labels.tolist() == [sample.label for sample in scored.samples]
        assert np.linalg.norm(scored.embeddings, axis=1) == pytest.approx(1, abs=1e-5)
        assert scored.probs.sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert {array.dtype for array in (scored.embeddings, scored.probs)} == {np.dtype(np.float32)}
    assert (test.probs.argmax(axis=1) == test.labels).mean() > 0.9
    assert not test.probs[:, [0, 2, 4, 5, 7]].any()  # emotions without a training picture
    assert test.embeddings.shape[1] == (150 if searched is Searched.RAW else 44)
    assert not list(tmp_path.iterdir())


def test_raw_features_are_searched_as_they_are(tmp_path: Path) -> None:
    scored = FeatureSvm(Numbered(), 8).score_fold(TRAIN, TEST, tmp_path).test
    raw = np.stack([_row(sample) for sample in scored.samples])
    assert scored.embeddings == pytest.approx(raw / np.linalg.norm(raw, axis=1, keepdims=True), abs=1e-6)


def test_the_order_of_the_pictures_does_not_matter(tmp_path: Path) -> None:
    method = FeatureSvm(Numbered(), 8)
    one, two = method.score_fold(TRAIN, TEST, tmp_path), method.score_fold(TRAIN[::-1], TEST[::-1], tmp_path)
    assert np.array_equal(one.test.probs, two.test.probs)
    assert np.array_equal(one.train.embeddings, two.train.embeddings)


def test_the_test_pictures_change_nothing_for_each_other(tmp_path: Path) -> None:
    method = FeatureSvm(Numbered(), 8, Searched.REDUCED)
    every, few = (method.score_fold(TRAIN, part, tmp_path).test for part in (TEST, TEST[:2]))
    rows = [every.samples.index(sample) for sample in few.samples]
    assert few.probs == pytest.approx(every.probs[rows], abs=1e-6)
    assert few.embeddings == pytest.approx(every.embeddings[rows], abs=1e-6)


def test_the_most_probable_emotion_is_the_svms() -> None:
    """And the temperature is one number: the logs of the probabilities are the decision values, scaled and shifted."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    rows = rng.normal(size=(60, 5)) + labels[:, None] * [1.0, 0, 0, 0, 0]
    logs = np.log(fit_svm(rows, labels, 4, 0).predict_proba(rows))
    svm = SVC(kernel="linear", break_ties=True).fit(rows, labels)
    decisions = svm.decision_function(rows)
    assert logs.argmax(axis=1).tolist() == svm.predict(rows).tolist()
    ratios = (logs[:, 1:] - logs[:, :1]) / (decisions[:, 1:] - decisions[:, :1])
    assert ratios == pytest.approx(ratios[0, 0], rel=1e-4)


def test_two_emotions_have_two_probabilities(tmp_path: Path) -> None:
    method = FeatureSvm(Numbered(), 8)
    scored = method.score_fold(_samples(20, (2, 5)), _samples(10, (2, 5), 500), tmp_path).test
    assert scored.probs[:, [2, 5]].sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (scored.probs.argmax(axis=1) == scored.labels).mean() > 0.8


@pytest.mark.parametrize(
    ("n", "d", "n_kept"), [(300, 200, N_COMPONENTS), (50, 200, 49), (300, 6, 6)], ids=["many", "few rows", "narrow"]
)
def test_the_reduction_keeps_what_it_can(n: int, d: int, n_kept: int) -> None:
    rows = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)
    rows[:, 0] = 3.0  # no variance
    reduced = fit_reduction(rows).transform(rows)
    assert reduced.shape == (n, n_kept)
    assert np.linalg.norm(reduced, axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("labels", "n_parts"), [([0] * 9 + [1] * 9, 5), ([0] * 9 + [1] * 3, 3), ([0, 0, 4, 4], 2)], ids=str
)
def test_every_part_of_the_calibration_has_every_emotion(labels: list[int], n_parts: int) -> None:
    assert calibration_parts(np.array(labels)) == n_parts


@pytest.mark.parametrize("labels", [[2] * 9, [0] * 9 + [1], []], ids=["one emotion", "one picture", "none"])
def test_too_few_pictures_are_refused(labels: list[int]) -> None:
    with pytest.raises(DataError, match="two emotions and two of each"):
        calibration_parts(np.array(labels, dtype=np.int64))
