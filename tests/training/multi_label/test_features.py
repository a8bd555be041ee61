"""Features of a frozen backbone: those of the served picture, kept, and never taken for others."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emotion.errors import ConfigError
from emotion.network.backbone import build_backbone
from emotion.network.imagenet import default_preprocess
from emotion.network.spec import NetworkSpec
from fakes import encoded
from training.data.multi_label import MultiLabelSample
from training.multi_label import features
from training.multi_label.features import FrozenBackbone, cached_features

NAME = "test_efficientnet"
CPU = torch.device("cpu")


def backbone(seed: int = 0) -> FrozenBackbone:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build_backbone(NetworkSpec(backbone=NAME)).eval()
    return FrozenBackbone(NAME, net, default_preprocess(NAME), f"weights {seed}")


@pytest.fixture
def samples(tmp_path: Path) -> list[MultiLabelSample]:
    found = []
    for seed in range(5):
        path = tmp_path / f"{seed}.png"
        path.write_bytes(encoded(seed))
        found.append(MultiLabelSample(path, (0,), f"{seed:064x}"))
    return found


class Counting:
    """How many pictures went through the network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n = 0
        original = FrozenBackbone.features

        def counted(frozen: FrozenBackbone, paths: list[Path], device: torch.device) -> np.ndarray:
            self.n += len(paths)
            return original(frozen, paths, device)

        monkeypatch.setattr(FrozenBackbone, "features", counted)


def test_what_is_there_is_not_computed_again(
    tmp_path: Path, samples: list[MultiLabelSample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "PART", 2)
    monkeypatch.setattr(features, "BATCH_SIZE", 2)
    counting = Counting(monkeypatch)
    first = cached_features(backbone(), samples, tmp_path / "kept", CPU)
    assert first.shape == (5, backbone().net.n_features)
    assert counting.n == 5
    assert np.array_equal(cached_features(backbone(), samples, tmp_path / "kept", CPU), first)
    assert counting.n == 5
    damaged = sorted((tmp_path / "kept").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:-9])
    assert np.array_equal(cached_features(backbone(), samples, tmp_path / "kept", CPU), first)
    assert 5 < counting.n <= 7
    assert not np.array_equal(cached_features(backbone(1), samples, tmp_path / "kept", CPU), first)


def test_the_weights_are_in_the_digest(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    found = []
    for seed in (0, 0, 1):
        save_file(backbone(seed).net.body.state_dict(), tmp_path / f"{len(found)}.safetensors")
        found.append(FrozenBackbone.open(NAME, tmp_path / f"{len(found)}.safetensors").digest)
    assert found[0] == found[1] != found[2]
    with pytest.raises(ConfigError, match="no ImageNet weights"):
        FrozenBackbone.open(NAME)
