from pathlib import Path

import pytest
import torch

from emotion.errors import ConfigError
from emotion.network.net import EmotionNet
from emotion.network.spec import NetworkSpec, SentimentVectorSpec
from emotion.preprocess import PreprocessSpec
from emotion.taxonomy import MIKELS
from fakes import write_gallery
from training.config import AugmentConfig
from training.data.dataset import PictureDataset
from training.data.loader import training_loader
from training.data.samples import read_samples
from training.data.taps_cache import CachedTaps, cache_taps, to_device

CPU = torch.device("cpu")


@pytest.fixture
def data(tmp_path: Path) -> PictureDataset:
    write_gallery(tmp_path, 6)
    samples = read_samples(tmp_path, MIKELS).samples
    return PictureDataset(samples, PreprocessSpec(size_px=32), AugmentConfig(), seed=5)


def _net(**sentiment_vector: object) -> EmotionNet:
    torch.manual_seed(0)
    spec = SentimentVectorSpec.model_validate(sentiment_vector)
    return EmotionNet(NetworkSpec(backbone="test_efficientnet", sentiment_vector=spec), 8)


def _cached(net: EmotionNet, data: PictureDataset, n_views: int, limit_gb: float = 1.0) -> CachedTaps:
    return cache_taps(net, data, n_views, device=CPU, autocast=False, limit_gb=limit_gb)


@torch.no_grad()
def test_every_view_gives_the_outputs_that_its_pixels_give(data: PictureDataset) -> None:
    net = _net().eval()
    cached = _cached(net, data, 2)
    batch = [(epoch, index) for epoch in range(4) for index in (4, 1)]
    ((taps, labels),) = training_loader(cached, [batch], 0, CPU)
    given = net.read(to_device(taps, CPU))
    for row, (epoch, index) in enumerate(batch):
        pixels, label = data[epoch % 2, index]
        expected = net(pixels[None])
        assert labels[row] == label
        assert given.logits[row].numpy() == pytest.approx(expected.logits[0].numpy(), abs=5e-3)
        assert given.embedding[row].numpy() == pytest.approx(expected.embedding[0].numpy(), abs=2e-3)
    assert not torch.equal(given.logits[0], given.logits[2]), "the views must differ"


def test_a_level_without_weight_is_not_kept(data: PictureDataset) -> None:
    net = _net(level_weights=(0, 1, 1, 1, 1)).eval()
    cached = _cached(net, data, 1)
    assert cached.levels[0].shape[2:] == (1, 1)
    assert cached.levels[1].shape[2:] == (8, 8)
    taps = to_device(next(iter(training_loader(cached, [[(0, 2)]], 0, CPU)))[0], CPU)
    with torch.no_grad():
        expected = net(data[0, 2][0][None]).embedding
        assert net.read(taps).embedding.numpy() == pytest.approx(expected.numpy(), abs=2e-3)


def test_the_size_is_reckoned_before_anything_is_kept(data: PictureDataset) -> None:
    net = _net().eval()
    cached = _cached(net, data, 1)
    gb = sum(part.numel() * part.element_size() for part in (*cached.levels, cached.pooled)) / 1e9
    assert _cached(net, data, 3, limit_gb=3.001 * gb).n_views == 3
    message = rf"maps of 6 pictures take {3 * gb:.3g} GB, more than loop\.cache_views_gb=.*take at most 2 views"
    with pytest.raises(ConfigError, match=message):
        _cached(net, data, 3, limit_gb=2.999 * gb)
    with pytest.raises(ConfigError, match=r"take loop\.cache_views=0"):
        _cached(net, data, 1, limit_gb=gb / 2)


def test_maps_beyond_float16_are_refused(data: PictureDataset) -> None:
    net = _net().eval()
    torch.nn.init.constant_(net.backbone.body.bn1.bias, 1e6)
    with pytest.raises(ConfigError, match="exceed float16"):
        _cached(net, data, 1)
