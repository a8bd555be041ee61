"""The painted gallery: the same from the same seed, eight emotions that measure as they should."""

from pathlib import Path

import numpy as np
import pytest

from demo.fields import chroma, luma
from demo.paint import COMPOSITIONS, encode_picture, paint_gallery
from demo.palettes import MOODS
from emotion.collection import read_collection
from emotion.errors import DataError
from emotion.images import decode, to_rgb8
from emotion.taxonomy import MIKELS

PER_EMOTION = 5


@pytest.fixture(scope="module")
def measures() -> dict[str, np.ndarray]:
    """Mean brightness and chroma of every emotion's compositions, one row a picture."""
    return {
        emotion: np.array([_measure(encode_picture(emotion, number, seed=3)) for number in range(PER_EMOTION)])
        for emotion in MIKELS.names
    }


def _measure(data: bytes) -> tuple[float, float]:
    paint = to_rgb8(decode(data)).astype(np.float32) / 255
    return float(luma(paint).mean()), float(chroma(paint).mean())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    once, again, other = (encode_picture("awe", 3, seed) for seed in (7, 7, 8))
    assert once == again
    assert once != other


@pytest.mark.parametrize("emotion", MIKELS.names)
def test_an_emotion_has_compositions_and_a_mood(emotion: str) -> None:
    assert len(COMPOSITIONS[emotion]) >= 4
    assert len(MOODS[emotion].palettes) >= 3


@pytest.mark.parametrize("emotion", MIKELS.names)
def test_pictures_lie_in_their_moods_ranges(emotion: str, measures: dict[str, np.ndarray]) -> None:
    mood = MOODS[emotion]
    for column, (low, high) in enumerate((mood.brightness, mood.chroma)):
        means = measures[emotion][:, column]
        assert means.min() > low - 0.05  # the relief, the rim and JPEG come after the tone
        assert means.max() < high + 0.05


def test_brightness_and_chroma_follow_the_studies(measures: dict[str, np.ndarray]) -> None:
    brightness, saturation = np.array([measures[emotion].mean(axis=0) for emotion in MIKELS.names]).T
    b, s = dict(zip(MIKELS.names, brightness, strict=True)), dict(zip(MIKELS.names, saturation, strict=True))
    assert s["sadness"] < s["excitement"] / 3
    assert b["fear"] < b["contentment"] / 3
    pleasure = 0.69 * brightness + 0.22 * saturation  # Valdez & Mehrabian 1994
    positive = MIKELS.polarity_codes() == 1
    assert pleasure[positive].mean() > pleasure[~positive].mean() + 0.1
    arousal = {emotion: -0.31 * b[emotion] + 0.60 * s[emotion] for emotion in MIKELS.names}
    assert min(arousal["excitement"], arousal["anger"]) > max(arousal["contentment"], arousal["sadness"])


def test_a_gallery_holds_as_many_as_asked_in_eight_folders(tmp_path: Path) -> None:
    steps: list[int] = []
    assert paint_gallery(tmp_path, 11, seed=1, on_progress=steps.append) == 11
    assert sum(steps) == 11
    entries = read_collection(tmp_path)
    assert len(entries) == 11
    assert {entry.label for entry in entries} == set(MIKELS.names)
    for entry in entries:
        assert decode(entry.path.read_bytes()).size in {(480, 360), (360, 480), (420, 420)}


def test_pictures_that_are_there_are_kept_and_the_rest_painted(tmp_path: Path) -> None:
    paint_gallery(tmp_path, 9, seed=1)
    missing, half = tmp_path / "awe" / "000.jpg", tmp_path / "fear" / "000.jpg"
    before = {path: path.read_bytes() for path in (missing, tmp_path / "amusement" / "001.jpg")}
    missing.unlink()
    assert paint_gallery(tmp_path, 9, seed=1) == 1
    assert all(path.read_bytes() == data for path, data in before.items())
    kept = half.read_bytes()
    assert paint_gallery(tmp_path, 8, seed=2) == 8
    assert half.read_bytes() != kept
    assert len(read_collection(tmp_path)) == 8, "the ninth, painted before, goes"


def test_a_strangers_picture_is_never_overwritten_nor_removed(tmp_path: Path) -> None:
    stranger = tmp_path / "amusement" / "000.jpg"
    stranger.parent.mkdir()
    stranger.write_bytes(b"a photo of mine")
    with pytest.raises(DataError, match="was not painted by this program"):
        paint_gallery(tmp_path, 1)
    stranger.rename(stranger.with_name("777.jpg"))
    paint_gallery(tmp_path, 1)
    assert stranger.with_name("777.jpg").read_bytes() == b"a photo of mine"
