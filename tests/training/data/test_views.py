from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from emotion.errors import ConfigError, DataError
from emotion.preprocess import Fit, PreprocessSpec
from training.data.dataset import PictureDataset
from training.data.samples import Sample
from training.data.views import FixedViews, View, fixed_views

BASE = PreprocessSpec(size_px=32)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    rng = np.random.default_rng(0)
    found = []
    for number in range(3):
        Image.fromarray(rng.integers(0, 256, (90, 150, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
        found.append(Sample(tmp_path / f"{number}.png", number, f"digest{number}"))
    return found


def test_views_are_distinct_and_fewer_are_the_first_of_more() -> None:
    ten = fixed_views(BASE, 10)
    assert len(set(ten)) == 10
    for n in range(1, 10):
        assert fixed_views(BASE, n) == ten[:n]
    assert ten[0] == View(BASE)
    assert [view.preprocess.size_px for view in ten[:3]] == [32, 32, 96]
    assert ten[1].preprocess.fit is ten[2].preprocess.fit is Fit.SQUASH
    assert sum(view.mirrored for view in ten) == 5
    assert {view.preprocess for view in ten if view.mirrored} == {view.preprocess for view in ten if not view.mirrored}
    assert {view.preprocess.mean for view in ten} == {BASE.mean}


def test_a_served_view_that_squashes_is_paired_with_a_crop() -> None:
    squash = BASE.model_copy(update={"fit": Fit.SQUASH})
    assert [view.preprocess.fit for view in fixed_views(squash, 2)] == [Fit.SQUASH, Fit.CROP]


def test_a_network_of_one_input_size_has_no_larger_views() -> None:
    views = fixed_views(BASE, 8, fixed_size=True)
    assert len(set(views)) == 8
    assert {view.preprocess.size_px for view in views} == {32}
    with pytest.raises(ConfigError, match=r"probe_views=9.*has 8 views"):
        fixed_views(BASE, 9, fixed_size=True)


def test_the_first_view_is_the_datasets_own_and_a_mirror_image_is_one(samples: list[Sample]) -> None:
    views = FixedViews(samples, [View(BASE), View(BASE, mirrored=True)])
    own = PictureDataset(samples, BASE)
    for index in range(3):
        (plain, mirrored), label = views[index]
        assert label == index
        assert (plain == own[index][0]).all()
        assert (mirrored.numpy() == own[index][0].numpy()[:, :, ::-1]).all()


def test_batches_hold_a_tensor_for_each_view(samples: list[Sample]) -> None:
    (views, labels), _ = list(DataLoader(FixedViews(samples, fixed_views(BASE, 3)), batch_size=2))
    assert [tuple(view.shape) for view in views] == [(2, 3, 32, 32), (2, 3, 32, 32), (2, 3, 96, 96)]
    assert labels.tolist() == [0, 1]


def test_a_broken_picture_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="remove the picture from the data"):
        FixedViews([Sample(tmp_path / "x.png", 0, "x")], [View(BASE)])[0]
