"""Features of an untouched network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emotion.errors import ConfigError
from emotion.taxonomy import MIKELS
from textures import write_textures
from training.config import TrainingConfig
from training.config_file import load_config
from training.data.samples import Sample, read_samples
from training.experiments.feature_svm import FeatureSvm, Searched
from training.experiments.frozen import FrozenFeatures

TINY = ["network.backbone=test_efficientnet", "preprocess.size_px=64", "loop.device=cpu"]


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return read_samples(write_textures(tmp_path / "textures", 8), MIKELS).samples


def _config(*overrides: str) -> TrainingConfig:
    return load_config("default", [*TINY, *overrides])


def test_features_of_random_weights_follow_the_seed_and_disturb_no_other(samples: list[Sample]) -> None:
    features = [FrozenFeatures(_config("network.pretrained=false", f"seed={seed}")) for seed in (0, 0, 1)]
    before = torch.random.get_rng_state()
    one, again, other = (each.fit(samples)(samples[:3]) for each in features)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.shape[0] == 3
    assert np.isfinite(one).all()
    assert np.array_equal(one, again)
    assert not np.allclose(one, other, atol=1e-3)
    assert len({str(each.settings) for each in features}) == 2


def test_textures_are_learned_on_a_random_network(samples: list[Sample], tmp_path: Path) -> None:
    """Chance is a quarter."""
    method = FeatureSvm(FrozenFeatures(_config("network.pretrained=false")), 8, Searched.REDUCED)
    scored = method.score_fold(samples[::2], samples[1::2], tmp_path).test
    assert (scored.probs.argmax(axis=1) == scored.labels).mean() >= 0.5


def test_missing_weights_are_named() -> None:
    with pytest.raises(ConfigError, match=r"network\.weights=FILE"):
        FrozenFeatures(_config()).fit([])
