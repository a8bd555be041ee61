"""Every kind of backbone: five levels, a 680-d vector, and an ONNX graph that agrees."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emotion.errors import ConfigError
from emotion.network.backbone import build_backbone
from emotion.network.googlenet_bvlc import response_norm
from emotion.network.net import EmotionNet
from emotion.network.spec import DeepestTap, NetworkSpec, SentimentVectorSpec
from emotion.network.taps import Taps
from emotion.network.timm_backbone import choose_levels
from emotion.openvino_runtime import the_core
from training.export import write_onnx

QUICK = {  # name: input side, strides of the levels
    "googlenet_bvlc": (64, [2, 4, 8, 16, 32]),
    "test_resnet": (64, [2, 4, 8, 16, 32]),
    "test_efficientnet": (64, [2, 4, 8, 16, 32]),
    "test_convnext": (64, [4, 4, 8, 16, 32]),
    "test_mambaout": (64, [4, 4, 8, 16, 32]),
    "test_vit": (160, [16] * 5),
}
HEAVY = {
    "googlenet": (64, [2, 4, 8, 16, 32]),
    "alexnet": (128, None),
    "vgg16": (64, [1, 2, 4, 8, 16]),
    "resnet50": (64, [2, 4, 8, 16, 32]),
    "densenet121": (64, [2, 4, 8, 16, 32]),
    "mobilenetv3_large_100": (64, [2, 4, 8, 16, 32]),
    "pvt_v2_b0": (64, [4, 4, 8, 16, 32]),
    "swin_tiny_patch4_window7_224": (224, [4, 4, 8, 16, 32]),
    "vit_small_patch16_224": (224, [16] * 5),
}


def _net(name: str, **sentiment_vector: object) -> EmotionNet:
    torch.manual_seed(0)
    spec = SentimentVectorSpec.model_validate(sentiment_vector)
    return EmotionNet(NetworkSpec(backbone=name, sentiment_vector=spec), n_classes=8).eval()


@torch.no_grad()
def _taps(net: EmotionNet, size: int) -> Taps:
    return net.backbone(torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0)))


def _check_levels(net: EmotionNet, size: int, strides: list[int] | None) -> None:
    taps = _taps(net, size)
    assert [level.shape[1] for level in taps.levels] == net.backbone.level_channels
    if strides is not None:
        assert [level.stride for level in net.backbone.levels] == strides
        assert [size // level.shape[2] for level in taps.levels] == strides
        assert [size // level.shape[3] for level in taps.levels] == strides
    assert net.backbone.level_channels[-1] == net.backbone.n_features
    assert taps.pooled.numpy() == pytest.approx(taps.levels[-1].mean(dim=(2, 3)).numpy(), abs=1e-5)


def _check_export(net: EmotionNet, size: int, path: Path) -> None:
    write_onnx(net, size, path)
    compiled = the_core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for b in (1, 3):
        pixels = np.random.default_rng(b).normal(size=(b, 3, size, size)).astype(np.float32)
        with torch.no_grad():
            expected = net(torch.from_numpy(pixels))
        given = compiled({"pixels": pixels})
        assert given["embedding"].shape == (b, 680)
        assert given["embedding"] == pytest.approx(expected.embedding.numpy(), abs=1e-5)
        assert given["logits"] == pytest.approx(expected.logits.numpy(), abs=1e-4)


@pytest.mark.parametrize("name", QUICK)
def test_five_levels_and_their_pooled_last(name: str) -> None:
    _check_levels(_net(name), *QUICK[name])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["googlenet_bvlc", "test_vit"])
def test_the_onnx_graph_agrees(tmp_path: Path, name: str) -> None:
    _check_export(_net(name), QUICK[name][0], tmp_path / "model.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*HEAVY, "test_resnet", "test_efficientnet", "test_convnext", "test_mambaout"])
def test_other_networks_too(tmp_path: Path, name: str) -> None:
    size, strides = (HEAVY | QUICK)[name]
    net = _net(name)
    _check_levels(net, size, strides)
    _check_export(net, size, tmp_path / "model.onnx")


def test_response_norm_is_torchs() -> None:
    x = 50 * torch.randn(2, 7, 3, 4, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.local_response_norm(x, size=5, alpha=1e-4, beta=0.75, k=1.0)
    assert response_norm(x).numpy() == pytest.approx(expected.numpy(), rel=1e-5)


def test_a_transformers_last_level_is_its_normalised_tokens_without_the_class_token() -> None:
    head, stage = (_net("test_vit", deepest=deepest) for deepest in DeepestTap)
    tokens = head.backbone.body.forward_features(torch.ones(1, 3, 160, 160))
    with torch.no_grad():
        deep, before_norm = (net.backbone(torch.ones(1, 3, 160, 160)).levels for net in (head, stage))
    by_hand = tokens[0, 1:].T.reshape(64, 10, 10)
    assert deep[-1][0].numpy() == pytest.approx(by_hand.detach().numpy(), abs=1e-5)
    assert not torch.allclose(deep[-1], before_norm[-1])
    assert torch.equal(deep[0], before_norm[0])


@pytest.mark.parametrize(
    ("depth", "n_levels", "expected"), [(12, 5, [1, 4, 6, 9, 11]), (6, 5, [0, 1, 3, 4, 5]), (24, 3, [7, 15, 23])]
)
def test_blocks_are_spread_evenly_and_end_with_the_last(depth: int, n_levels: int, expected: list[int]) -> None:
    class Blocks:
        feature_info = tuple({"reduction": 16} for _ in range(depth))

    assert choose_levels(Blocks(), n_levels) == expected


@pytest.mark.parametrize(
    ("name", "n_levels", "strides"), [("test_convnext", 4, [4, 8, 16, 32]), ("googlenet_bvlc", 3, [8, 16, 32])]
)
def test_fewer_levels_are_the_deepest(name: str, n_levels: int, strides: list[int]) -> None:
    net = _net(name, n_levels=n_levels)
    assert [level.stride for level in net.backbone.levels] == strides
    assert len(_taps(net, 64).levels) == n_levels


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("test_resnet", r"test_resnet has 5 levels.*network\.sentiment_vector\.n_levels=5"),
        ("googlenet_bvlc", "has 5 levels"),
        ("test_vit", "test_vit has 7 levels"),
    ],
)
def test_too_many_levels_are_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _net(name, n_levels=8)


@pytest.mark.parametrize(("name", "message"), [("googlenet_bvcl", "near it"), ("resnet18.a1_in2k", "it has: resnet18")])
def test_a_wrong_name_is_answered_with_near_ones(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_backbone(NetworkSpec(backbone=name))
