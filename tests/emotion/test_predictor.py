from pathlib import Path

import numpy as np
import pytest

from emotion.errors import PictureError
from emotion.network.spec import NetworkSpec, SentimentVectorSpec
from emotion.predictor import Predictor, sigmoid, softmax
from emotion.taxonomy import MIKELS
from fakes import DIM, FakeRuntime, encoded, noise, tiny_bundle, tiny_predictor, write_gallery


def test_embeddings_have_unit_norm_and_probabilities_sum_to_one(tmp_path: Path) -> None:
    predictions = tiny_predictor(tmp_path).predict([encoded(seed) for seed in range(5)])
    assert predictions.embeddings.shape == (5, DIM)
    assert np.linalg.norm(predictions.embeddings, axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert predictions.probabilities.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert predictions.embeddings.dtype == predictions.probabilities.dtype == np.float32


def test_a_path_and_its_bytes_are_the_same_picture(tmp_path: Path) -> None:
    (path,) = write_gallery(tmp_path / "gallery", 1)
    predictor = tiny_predictor(tmp_path)
    assert np.array_equal(predictor.prepare(path), predictor.prepare(path.read_bytes()))


def test_temperature_softens_without_changing_the_order(tmp_path: Path) -> None:
    sharp = tiny_predictor(tmp_path)
    soft = Predictor(tiny_bundle(tmp_path / "soft", temperature=4.0), FakeRuntime())
    a, b = (p.predict([encoded(3)]).probabilities[0] for p in (sharp, soft))
    assert np.array_equal(a.argsort(), b.argsort())
    assert b.max() < a.max()


def test_noise_is_unfamiliar_and_smooth_pictures_are_not(tmp_path: Path) -> None:
    predictions = tiny_predictor(tmp_path).predict([noise(), *(encoded(seed) for seed in range(5))])
    assert predictions.familiarity is not None
    assert predictions.unfamiliar is not None
    assert predictions.familiarity.dtype == np.float32
    assert predictions.familiarity[0] == 0
    assert (predictions.familiarity[1:] > 0.1).all()
    assert predictions.unfamiliar.tolist() == [True] + 5 * [False]


def test_a_bundle_without_a_scale_says_nothing_of_familiarity(tmp_path: Path) -> None:
    spec = NetworkSpec(sentiment_vector=SentimentVectorSpec(n_filters=1, n_levels=DIM))
    old = Predictor(tiny_bundle(tmp_path / "old", network=spec, familiarity=None), FakeRuntime())
    predictions = old.predict([noise()])
    assert predictions.familiarity is None
    assert predictions.unfamiliar is None


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    with pytest.raises(PictureError, match=r"bad\.png"):
        tiny_predictor(tmp_path).prepare(tmp_path / "bad.png")


def test_with_thresholds_each_probability_is_a_sigmoid_of_its_own(tmp_path: Path) -> None:
    thresholds = dict.fromkeys(MIKELS.names, 0.5)
    several = Predictor(tiny_bundle(tmp_path / "several", thresholds=thresholds, temperature=2.0), FakeRuntime())
    pixels = np.stack([several.prepare(encoded(seed)) for seed in range(3)])
    expected = 1 / (1 + np.exp(-FakeRuntime().run(pixels).logits.astype(np.float64) / 2))
    assert several.infer(pixels).probabilities == pytest.approx(expected, abs=1e-6)
    assert several.thresholds is not None
    assert tiny_predictor(tmp_path).thresholds is None


def test_sigmoid_does_not_overflow() -> None:
    assert sigmoid(np.array([[-1000.0, 0.0, 1000.0]], dtype=np.float32)).tolist() == [[0, 0.5, 1]]


def test_softmax_does_not_overflow() -> None:
    assert softmax(np.array([[1000.0, 1000.0]], dtype=np.float32)).tolist() == [[0.5, 0.5]]
