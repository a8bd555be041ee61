from pathlib import Path

import numpy as np
import pytest
import torch

from emotion.errors import ConfigError
from emotion.network.net import EmotionNet
from emotion.network.spec import DeepestTap, HeadInput, NetworkSpec
from emotion.network.timm_backbone import TimmBackbone
from emotion.openvino_runtime import the_core
from training.export import write_onnx


@pytest.mark.parametrize(("deepest", "channels"), [(DeepestTap.HEAD, 1280), (DeepestTap.STAGE, 320)])
def test_lite0_taps_five_levels_of_strides_2_to_32(deepest: DeepestTap, channels: int) -> None:
    backbone = TimmBackbone("tf_efficientnet_lite0", deepest).eval()
    with torch.no_grad():
        taps = backbone(torch.zeros(1, 3, 64, 64))
    assert [level.shape[1:] for level in taps.levels] == [
        (16, 32, 32),
        (24, 16, 16),
        (40, 8, 8),
        (112, 4, 4),
        (channels, 2, 2),
    ]
    assert taps.pooled.shape == (1, 1280)
    assert backbone.level_channels == [level.shape[1] for level in taps.levels]


def test_one_pass_gives_a_680_d_unit_vector_and_logits() -> None:
    net = EmotionNet(NetworkSpec(), n_classes=8).eval()
    with torch.no_grad():
        outputs = net(torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert outputs.embedding.shape == (3, 680)
    assert outputs.embedding.norm(dim=1).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    assert outputs.logits.shape == (3, 8)


def test_an_unknown_network_is_answered_with_near_names() -> None:
    with pytest.raises(ConfigError, match="tf_efficientnet"):
        TimmBackbone("tf_efficientnet_light0")


def _tiny(**spec: object) -> EmotionNet:
    torch.manual_seed(0)
    return EmotionNet(NetworkSpec.model_validate({"backbone": "test_efficientnet", **spec}), n_classes=8).eval()


def _pixels(b: int = 2) -> torch.Tensor:
    return torch.randn(b, 3, 64, 64, generator=torch.Generator().manual_seed(b))


@pytest.mark.parametrize(
    ("head_input", "width"), [(HeadInput.FEATURES, 256), (HeadInput.EMBEDDING, 680), (HeadInput.BOTH, 936)]
)
def test_the_class_head_reads_what_the_spec_says(head_input: HeadInput, width: int) -> None:
    net = _tiny(head_input=head_input)
    with torch.no_grad():
        outputs, pooled = net(_pixels()), net.backbone(_pixels()).pooled
    parts = {"features": pooled, "embedding": outputs.embedding * 680**0.5}
    read = torch.cat([parts[name] for name in parts if head_input in (name, "both")], dim=1)
    assert read.shape == (2, width)
    by_hand = read.numpy() @ net.head.weight.detach().numpy().T + net.head.bias.detach().numpy()
    assert outputs.logits.numpy() == pytest.approx(by_hand, abs=1e-5)


def test_the_sentiment_vector_learns_from_the_class_head_that_reads_it() -> None:
    for head_input in HeadInput:
        net = _tiny(head_input=head_input)
        net(_pixels()).logits.square().sum().backward()
        assert (net.sentiment_vector.reduce[0].weight.grad is None) == (head_input is HeadInput.FEATURES)


@torch.no_grad()
@pytest.mark.parametrize("hidden", [0, 32])
def test_fully_connected_layers_on_the_pooled_features_can_stand_in_for_the_sentiment_vector(hidden: int) -> None:
    net = _tiny(embedding="fc", fc={"dim": 12, "hidden": hidden}, head_input="embedding")
    assert (net.spec.dim, net.head.in_features, net.sentiment_vector) == (12, 12, None)
    given = net.backbone(_pixels()).pooled.numpy()
    for name in (["hidden"] if hidden else []) + ["last"]:
        layer = getattr(net.fc, name)
        given = given @ layer.weight.numpy().T + layer.bias.numpy()
        given = np.maximum(given, 0) if name == "hidden" else given
    by_hand = given / np.linalg.norm(given, axis=1, keepdims=True)
    assert net(_pixels()).embedding.numpy() == pytest.approx(by_hand, abs=1e-5)
    assert {id(p) for p in net.embedding_parameters()} == {id(p) for p in net.fc.parameters()}


@torch.no_grad()
def test_averaging_over_the_mirror_image_equals_the_definition_and_does_not_tell_left_from_right() -> None:
    plain, averaged = _tiny(), _tiny(flip_average=True)
    pixels = _pixels(3)
    mirrored = torch.from_numpy(pixels.numpy()[..., ::-1].copy())
    one, other, both = plain(pixels), plain(mirrored), averaged(pixels)
    assert both.logits.numpy() == pytest.approx((one.logits + other.logits).numpy() / 2, abs=1e-5)
    # Every level has length 1 in both views, so the mean before the norm points where the mean after it does.
    mean = one.embedding + other.embedding
    assert both.embedding.numpy() == pytest.approx((mean / mean.norm(dim=1, keepdim=True)).numpy(), abs=1e-5)
    assert averaged(mirrored).embedding.numpy() == pytest.approx(both.embedding.numpy(), abs=1e-5)
    assert (one.embedding - other.embedding).abs().max() > 1e-3, "the case must have views that differ"


def test_training_sees_one_view() -> None:
    net = _tiny(flip_average=True, dropout=0).train()
    assert net.views(_pixels()).shape == (2, 3, 64, 64)
    assert net(_pixels()).logits.shape == (2, 8)


@pytest.mark.parametrize(
    "spec",
    [
        {"flip_average": True, "head_input": "both"},
        {"embedding": "fc", "fc": {"dim": 12, "hidden": 32}, "head_input": "embedding", "flip_average": True},
        {"sentiment_vector": {"norm": "global", "projection": "linear", "level_weights": [0, 1, 1, 2, 1]}},
    ],
    ids=str,
)
def test_the_graph_holds_every_option(tmp_path: Path, spec: dict[str, object]) -> None:
    net = _tiny(**spec)
    write_onnx(net, 64, tmp_path / "model.onnx")
    compiled = the_core().compile_model(str(tmp_path / "model.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for b in (1, 3):
        with torch.no_grad():
            expected = net(_pixels(b))
        given = compiled({"pixels": _pixels(b).numpy()})
        assert np.asarray(given["embedding"]) == pytest.approx(expected.embedding.numpy(), abs=1e-5)
        assert np.asarray(given["logits"]) == pytest.approx(expected.logits.numpy(), abs=1e-4)


def test_a_spec_from_before_the_options_is_what_it_was() -> None:
    old = {"backbone": "tf_efficientnet_lite0", "dropout": 0.2, "sentiment_vector": {"n_filters": 16, "n_levels": 5}}
    assert NetworkSpec.model_validate(old) == NetworkSpec()
