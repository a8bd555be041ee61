"""The distance to the training pictures, fitted and calibrated."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf

from emotion.bundle import Bundle, Provenance
from emotion.familiarity import FamiliarityScale
from emotion.network.familiarity import Familiarity
from emotion.network.net import EmotionNet
from emotion.network.spec import NetworkSpec
from emotion.openvino_runtime import OpenVinoRuntime
from emotion.preprocess import PreprocessSpec
from emotion.runtime import Device, Precision, Runtime
from emotion.taxonomy import MIKELS
from emotion.torch_runtime import TorchRuntime, cuda_is_available
from fakes import write_gallery
from training.data.dataset import PictureDataset
from training.data.samples import read_samples
from training.export import export_bundle
from training.familiarity import add_familiarity, attach, fit_distance, left_out_distances


def correlated(n: int, f: int, seed: int = 0) -> np.ndarray:
    """Features whose variances fall off, mixed over all columns."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(f, f))
    return (rng.normal(size=(n, f)) * 0.8 ** np.arange(f)) @ mixing + 3


@pytest.mark.parametrize(("n", "f", "rank"), [(200, 12, 11), (20, 30, 256), (20, 30, 19)])
def test_with_every_direction_it_is_scikit_learns_mahalanobis_distance(n: int, f: int, rank: int) -> None:
    features, others = correlated(n, f), correlated(50, f, seed=1)
    expected = np.sqrt(LedoitWolf().fit(features).mahalanobis(others))
    assert fit_distance(features, rank).distances(others) == pytest.approx(expected, rel=1e-6)


def test_a_few_directions_come_close() -> None:
    features, others = correlated(200, 40), correlated(50, 40, seed=1)
    exact, short = (fit_distance(features, rank).distances(others) for rank in (39, 15))
    assert np.corrcoef(exact, short)[0, 1] > 0.9
    assert len(fit_distance(features, 15).variances) == 15


def test_the_network_gives_the_same_distances() -> None:
    raw = correlated(60, 10).astype(np.float32)
    features = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    fitted = fit_distance(features, 4)
    familiarity = Familiarity(10, 4)
    for name, value in fitted._asdict().items():
        familiarity.get_buffer(name).copy_(torch.as_tensor(value))
    assert familiarity(torch.from_numpy(raw)).numpy() == pytest.approx(fitted.distances(features), rel=1e-4)


def test_pictures_left_out_are_farther_as_new_ones_are() -> None:
    """Which is why the quantiles are not those of the pictures that were fitted."""
    features, new = correlated(100, 60), correlated(100, 60, seed=1)
    left_out = left_out_distances(features, 40, np.random.default_rng(0))
    fitted = fit_distance(features, 40)
    assert left_out.mean() == pytest.approx(fitted.distances(new).mean(), rel=0.1)
    assert fitted.distances(features).mean() < 0.95 * left_out.mean()


def test_the_same_seed_deals_the_same_folds() -> None:
    features = correlated(40, 8)
    one, same, other = (left_out_distances(features, 4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_features_that_are_all_the_same_give_finite_distances() -> None:
    assert np.isfinite(fit_distance(np.ones((30, 5)), 3).distances(np.ones((2, 5)))).all()


@pytest.fixture
def net() -> EmotionNet:
    return tiny_net()


def tiny_net() -> EmotionNet:
    torch.manual_seed(0)
    return EmotionNet(NetworkSpec(backbone="test_efficientnet"), n_classes=8).eval()


def data(folder: Path, n: int) -> PictureDataset:
    write_gallery(folder, n)
    return PictureDataset(read_samples(folder, MIKELS).samples, PreprocessSpec(size_px=32))


@pytest.mark.parametrize(("n", "rank"), [(19, 8), (40, 0)])
def test_a_net_goes_without_where_pictures_are_few_or_nobody_asks(
    tmp_path: Path, net: EmotionNet, n: int, rank: int
) -> None:
    assert add_familiarity(net, data(tmp_path, n), rank, np.random.default_rng(0)) is None
    assert net.familiarity is None
    assert net.spec.familiarity_rank == 0


def test_a_scale_comes_from_the_training_pictures(tmp_path: Path, net: EmotionNet) -> None:
    scale = add_familiarity(net, data(tmp_path, 40), 8, np.random.default_rng(0))
    assert scale is not None
    assert len(scale.quantiles) == 101
    assert scale.quantiles[0] > 0
    assert net.spec.familiarity_rank == 8


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_workers_prepare_the_pictures_and_change_nothing(tmp_path: Path, net: EmotionNet) -> None:
    pictures = data(tmp_path, 40)
    alone, helped = (add_familiarity(net, pictures, 8, np.random.default_rng(0), n_workers=n) for n in (0, 2))
    assert alone == helped


class Exported(NamedTuple):
    net: EmotionNet
    bundle: Bundle


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A net with the distance to made-up features, and its bundle."""
    net, now = tiny_net(), datetime(2026, 1, 1, tzinfo=UTC)
    attach(net, fit_distance(correlated(60, net.backbone.n_features), 16))
    fields = {
        "name": "tiny",
        "taxonomy": MIKELS,
        "preprocess": PreprocessSpec(size_px=32),
        "provenance": Provenance(created=now, version="0", config={}, data="", n_training_pictures=0),
        "familiarity": FamiliarityScale(quantiles=(1, 2)),
    }
    return Exported(net, export_bundle(tmp_path_factory.mktemp("tiny") / "bundle", net, 32, **fields))


CPU_RUNTIMES = [
    pytest.param(OpenVinoRuntime, {}, 1e-3, id="openvino"),
    pytest.param(TorchRuntime, {}, 1e-3, id="torch"),
    pytest.param(TorchRuntime, {"precision": Precision.BF16}, 0.05, id="torch-bf16"),
]
GPU_RUNTIMES = [
    pytest.param(
        TorchRuntime,
        {"device": Device.CUDA, "precision": precision},
        tolerance,
        id=f"cuda-{precision}",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not cuda_is_available(), reason="no NVIDIA GPU")],
    )
    for precision, tolerance in ((Precision.FP32, 1e-3), (Precision.BF16, 0.05))
]


@pytest.mark.parametrize(("runtime", "options", "tolerance"), CPU_RUNTIMES + GPU_RUNTIMES)
def test_every_runtime_gives_the_distance_of_the_exported_bundle(
    exported: Exported, runtime: Callable[..., Runtime], options: dict[str, object], tolerance: float
) -> None:
    running = runtime(exported.bundle, **options)
    for n in (1, 3, 17):  # padded, and in two parts
        pixels = np.random.default_rng(n).normal(size=(n, 3, 32, 32)).astype(np.float32)
        with torch.no_grad():
            expected = exported.net(torch.from_numpy(pixels)).unfamiliarity.numpy()
        assert running.run(pixels).unfamiliarities == pytest.approx(expected, rel=tolerance)
