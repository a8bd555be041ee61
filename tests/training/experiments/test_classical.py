"""SIFT words, HOG and Gabor: what they are of, and that they tell textures apart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotion.errors import ConfigError, DataError
from emotion.taxonomy import MIKELS
from textures import TEXTURES, texture, write_textures
from training.data.samples import Sample, read_samples
from training.experiments import classical
from training.experiments.classical import Gabor, Hog, SiftWords
from training.experiments.feature_svm import Features, FeatureSvm

SMALL: dict[str, Features] = {
    "hog": Hog(side_px=48, cell_px=8),
    "gabor": Gabor(side_px=48, frequencies=(0.1, 0.3)),
    "sift": SiftWords(n_words=24, side_px=72),
}


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return read_samples(write_textures(tmp_path / "textures", 8), MIKELS).samples


@pytest.mark.parametrize(
    ("features", "n_values"), [(Hog(), 1764), (Gabor(), 48), (SiftWords(), 500)], ids=["hog", "gabor", "sift"]
)
def test_a_descriptor_has_its_documented_length(
    features: Hog | Gabor | SiftWords, n_values: int, samples: list[Sample]
) -> None:
    rows = features.fit(samples[:1])(samples[:2])
    assert rows.shape == (2, n_values) == (2, features.n_values)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()


@pytest.mark.parametrize("name", SMALL)
def test_the_same_picture_has_the_same_numbers_and_another_has_others(name: str, samples: list[Sample]) -> None:
    one, again, other = SMALL[name].fit(samples)([samples[0], samples[0], samples[1]])
    assert np.array_equal(one, again)
    assert not np.allclose(one, other, atol=1e-3)
    assert np.array_equal(one, SMALL[name].fit(samples)(samples[:1])[0])


@pytest.mark.parametrize("name", SMALL)
def test_textures_are_learned(name: str, samples: list[Sample], tmp_path: Path) -> None:
    """Chance is a quarter; SIFT, turned to each keypoint's direction, cannot tell upright blocks from lying ones."""
    train, test = samples[::2], samples[1::2]
    assert {sample.label for sample in test} == {sample.label for sample in train}
    scored = FeatureSvm(SMALL[name], 8).score_fold(train, test, tmp_path).test
    assert (scored.probs.argmax(axis=1) == scored.labels).mean() >= (0.5 if name == "sift" else 0.75)


@pytest.mark.parametrize("name", ["hog", "gabor"])
def test_what_learns_nothing_says_the_same_whatever_it_was_shown(name: str, samples: list[Sample]) -> None:
    assert np.array_equal(SMALL[name].fit(samples[:3])(samples), SMALL[name].fit([])(samples))


def test_the_words_come_from_training_pictures_alone(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test, looked_at = samples[::2], samples[1::2], []

    def decode(sample: Sample, min_side_px: int) -> Image.Image:
        looked_at.append(sample.digest)
        return decode_sample(sample, min_side_px)

    decode_sample = classical.decode_sample
    monkeypatch.setattr(classical, "decode_sample", decode)
    describe = SMALL["sift"].fit(train)
    assert set(looked_at) == {sample.digest for sample in train}
    before = describe(train[:1])
    describe(test)
    assert np.array_equal(describe(train[:1]), before)


def test_the_words_come_from_a_sample_where_there_are_many(samples: list[Sample]) -> None:
    """By lot, the same with the same seed."""
    few = [SiftWords(n_words=8, side_px=72, max_pictures=3, max_descriptors=5, seed=seed) for seed in (0, 0, 1)]
    one, again, other = (words.vocabulary(samples).cluster_centers_ for words in few)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_sift_words_are_the_root_of_the_share_of_each(samples: list[Sample]) -> None:
    """Counted once more, keypoint by keypoint, the nearest centre by its distance."""
    words = SiftWords(n_words=6, side_px=72)
    vocabulary, picture = words.vocabulary(samples), texture(TEXTURES[0], 99)
    counts = [0] * 6
    for descriptor in words.descriptors(picture):
        counts[int(((vocabulary.cluster_centers_ - descriptor) ** 2).sum(axis=1).argmin())] += 1
    assert words.of(picture, vocabulary) == pytest.approx([(count / sum(counts)) ** 0.5 for count in counts], abs=1e-6)


def test_a_gabor_pair_peaks_at_its_own_stripes() -> None:
    """Stripes of a tenth of a cycle per pixel along x: the first direction of that frequency answers the most."""
    features = Gabor(side_px=64, frequencies=(0.1, 0.3))
    stripes = np.tile(127 + 100 * np.sin(2 * np.pi * 0.1 * np.arange(64)), (64, 1)).astype(np.uint8)
    means = features.of(Image.fromarray(stripes).convert("RGB"), features.bank())[::2]
    assert means.argmax() == 0


def test_hog_of_upright_edges_is_in_one_direction() -> None:
    features = Hog(side_px=32, cell_px=8)
    edges = np.tile(np.repeat([0, 255, 0, 255], 8), (32, 1)).astype(np.uint8)
    by_direction = features.of(Image.fromarray(edges).convert("RGB")).reshape(-1, 9).sum(axis=0)
    assert by_direction.max() == pytest.approx(by_direction.sum())


@pytest.mark.parametrize("size", [(60, 40), (1, 400), (900, 2), (8, 8)], ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_plain_and_odd_pictures_give_finite_rows(
    name: str, size: tuple[int, int], samples: list[Sample], tmp_path: Path
) -> None:
    Image.new("RGB", size, (90, 20, 200)).save(tmp_path / "plain.png")
    plain = Sample(tmp_path / "plain.png", 0, "plain")
    assert np.isfinite(SMALL[name].fit(samples)([plain])).all()
    scored = FeatureSvm(SMALL[name], 8).score_fold(samples, [plain], tmp_path).test
    assert np.isfinite(scored.embeddings).all()
    assert scored.probs.sum() == pytest.approx(1, abs=1e-5)


def test_pictures_of_one_colour_have_no_words(tmp_path: Path) -> None:
    Image.new("RGB", (60, 60)).save(tmp_path / "black.png")
    with pytest.raises(DataError, match="no keypoint in any training picture"):
        SiftWords().fit([Sample(tmp_path / "black.png", 0, "black")])


@pytest.mark.parametrize("name", SMALL)
def test_without_the_extra_it_is_named(name: str, samples: Sequence[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classical, "LIBRARIES", {"no_such_module": "opencv-python-headless"})
    with pytest.raises(ConfigError, match=r"opencv-python-headless.*extra `experiments`.*pip install"):
        SMALL[name].fit(samples)


def test_settings_tell_other_numbers_apart() -> None:
    kinds = [Hog(), Hog(side_px=64), Gabor(), Gabor(n_orientations=8), SiftWords(), SiftWords(seed=1)]
    assert len({str(features.settings) for features in kinds}) == len(kinds)
