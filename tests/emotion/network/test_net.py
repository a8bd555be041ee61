import pytest
import torch

from emotion.errors import ConfigError
from emotion.network.net import EmotionNet
from emotion.network.spec import DeepestTap, NetworkSpec
from emotion.network.timm_backbone import TimmBackbone


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
