import numpy as np
import pytest
from PIL import Image

from emotion.preprocess import Fit, PreprocessSpec, normalise, prepare, resize
from fakes import picture


def test_normalise_by_hand() -> None:
    pixels = np.array([[[0, 127, 255]]], dtype=np.uint8)
    spec = PreprocessSpec(mean=(0.5, 0.0, 0.5), std=(0.5, 1.0, 0.25))
    assert normalise(pixels, spec)[:, 0, 0] == pytest.approx([-1.0, 127 / 255, 2.0], abs=1e-6)


@pytest.mark.parametrize("bgr", [False, True])
def test_normalise_as_it_is_defined(bgr: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    before = pixels.copy()
    found = normalise(pixels, PreprocessSpec(mean=mean, std=std, bgr=bgr))
    for channel in range(3):
        for y, x in np.ndindex(5, 4):
            value = int(pixels[y, x, 2 - channel if bgr else channel])
            assert found[channel, y, x] == pytest.approx((value / 255 - mean[channel]) / std[channel], abs=1e-6)
    assert np.array_equal(pixels, before)


def test_bgr_turns_the_channels_round() -> None:
    pixels = np.array([[[0, 127, 255]]], dtype=np.uint8)
    assert normalise(pixels, PreprocessSpec(bgr=True))[:, 0, 0] == pytest.approx([1.0, 127 / 127.5 - 1, -1.0], abs=1e-6)


@pytest.mark.parametrize("fit", list(Fit))
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (50, 1000), (1, 1)])
def test_the_network_sees_a_square(fit: Fit, size: tuple[int, int]) -> None:
    pixels = prepare(picture(1, size), PreprocessSpec(size_px=32, fit=fit))
    assert pixels.shape == (3, 32, 32)
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous


def test_crop_takes_the_centre_and_squash_the_whole() -> None:
    image = Image.new("RGB", (300, 100), "white")
    image.paste((0, 0, 0), (100, 0, 200, 100))
    crop = np.asarray(resize(image, PreprocessSpec(size_px=30, fit=Fit.CROP)))
    squash = np.asarray(resize(image, PreprocessSpec(size_px=30, fit=Fit.SQUASH)))
    assert crop.max() < 10
    assert squash[:, 0].min() > 245
    assert squash[:, 15].max() < 10


def test_min_side_leaves_enough_for_the_crop() -> None:
    assert PreprocessSpec(size_px=224, crop_fraction=0.875).min_side_px == 256
    assert PreprocessSpec(size_px=224, fit=Fit.SQUASH).min_side_px == 224
