from pathlib import Path

import pytest

from emotion.errors import ConfigError
from emotion.preprocess import PreprocessSpec
from training.config import Init, TrainingConfig, load_config, preset_names
from training.losses.mining import Mining


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_valid(name: str) -> None:
    assert load_config(name).loop.epochs > 0


def test_overrides_reach_every_section() -> None:
    config = load_config(
        "default",
        ["optim.lr=1e-2", "loss.mining=hard", "network.sentiment_vector.signed_sqrt=true", "network.sv_init=random"],
    )
    assert config.optim.lr == 0.01
    assert config.loss.mining is Mining.HARD
    assert config.network.sentiment_vector.signed_sqrt is True
    assert config.network.sv_init is Init.RANDOM


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.lr_backbon=1", r"unknown key 'optim\.lr_backbon'; did you mean 'optim\.lr_backbone'\?"),
        ("network.sentiment_vector.n_filter=8", r"did you mean 'network\.sentiment_vector\.n_filters'"),
        ("loss.w=2", r"loss\.w: .*less than or equal to 1 \(got 2\)"),
        ("loss.mining=soft", r"loss\.mining: .*'random', 'semi_hard' or 'hard'"),
        ("loss.w", "takes section.key=value"),
        ("seed.x=1", "is a value, not a section"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, override: str, message: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text("seed = 3\n")
    with pytest.raises(ConfigError, match=message):
        load_config(str(path), [override])


def test_early_stopping_needs_validation_pictures() -> None:
    with pytest.raises(ConfigError, match="patience needs"):
        load_config("default", ["loop.patience=3", "data.validation_fraction=0"])


def test_an_unknown_preset_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"presets: .*default"):
        load_config("fast")
    (tmp_path / "broken.toml").write_text("a = = 1")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(str(tmp_path / "broken.toml"))


def test_the_backbone_decides_the_preprocessing_that_is_not_set() -> None:
    assert load_config("default").preprocess == TrainingConfig().preprocess == PreprocessSpec()
    caffe = load_config("default", ["network.backbone=googlenet_bvlc", "preprocess.fit=squash"]).preprocess
    assert caffe.bgr is True
    assert caffe.std == (1 / 255,) * 3
    assert caffe.fit == "squash"
    assert load_config("default", ["network.backbone=test_vit"]).preprocess.size_px == 160


def test_a_written_configuration_is_read_as_it_is() -> None:
    config = load_config("default", ["network.backbone=googlenet_bvlc", "preprocess.size_px=64"])
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config
    given = PreprocessSpec(size_px=8)
    assert TrainingConfig(network=config.network, preprocess=given).preprocess is given


def test_an_unknown_backbone_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="timm has no network called 'resnet_50'"):
        load_config("default", ["network.backbone=resnet_50"])
    with pytest.raises(ConfigError, match=r"network: .*\(got 3\)"):
        load_config("default", ["network=3"])
