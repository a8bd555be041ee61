import re
from pathlib import Path

import pytest

from conftest import ROOT
from emotion.errors import ConfigError
from emotion.preprocess import PreprocessSpec
from training.config import Init, TrainingConfig
from training.config_file import _keys, load_config, preset_names
from training.loss_settings import EmbeddingLoss
from training.losses.mining import Mining


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_valid(name: str) -> None:
    config = load_config(name)
    assert (config.loop.epochs == 0) == (name == "probe")


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
        ("loss.embedding=supcon", r"loss\.embedding: .*'sup_con'"),
        ("loss.sup_con.temp=1", r"did you mean 'loss\.sup_con\.temperature'"),
        ("loss.w", "takes section.key=value"),
        ("seed.x=1", "is a value, not a section"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, override: str, message: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text("seed = 3\n")
    with pytest.raises(ConfigError, match=message):
        load_config(str(path), [override])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss.embedding=sup_con", "loss.mining=hard"], r"loss\.mining does nothing .*adaptive, sentiment, triplet"),
        (["loss.embedding=triplet", "loss.alpha1=0.3"], r"loss\.alpha1 does nothing with loss\.embedding=triplet"),
        (["loss.embedding=triplet", "loss.polarity_weight=1"], "it belongs to center, multi_similarity, n_pair"),
        (["loss.sup_con.temperature=0.2"], r"loss\.sup_con does nothing with loss\.embedding=sentiment"),
        (["loss.embedding=sup_con", "optim.lr_loss=1e-3"], r"optim\.lr_loss does nothing"),
    ],
)
def test_a_setting_that_the_loss_does_not_read_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config("default", overrides)


def test_a_setting_that_the_loss_reads_is_taken() -> None:
    sets = ["loss.embedding=proxy_anchor", "loss.proxy_anchor.alpha=16", "loss.polarity_weight=1", "optim.lr_loss=1e-3"]
    config = load_config("default", sets)
    assert config.loss.embedding is EmbeddingLoss.PROXY_ANCHOR
    assert config.loss.proxy_anchor.alpha == 16
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config


def test_early_stopping_needs_validation_pictures() -> None:
    with pytest.raises(ConfigError, match="patience needs"):
        load_config("default", ["loop.patience=3", "data.validation_fraction=0"])


@pytest.mark.parametrize("override", ["optim.layer_decay=0.7", "optim.unfreeze_epochs=1"])
@pytest.mark.parametrize(
    ("other", "message"),
    [("network.freeze_trunk=true", "does nothing with"), ("network.backbone=alexnet", "needs stages.*alexnet")],
)
def test_settings_of_stages_need_stages_that_learn(override: str, other: str, message: str) -> None:
    assert load_config("default", [override])
    with pytest.raises(ConfigError, match=message):
        load_config("default", [override, other])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((), r"cache_views needs network\.freeze_trunk=true"),
        (("network.freeze_trunk=true", "augment.mixup=0.2"), "keeps no pictures"),
        (("network.freeze_trunk=true", "augment.cutmix=1.0"), "keeps no pictures"),
    ],
)
def test_cached_views_need_a_frozen_trunk_and_no_mixing(overrides: tuple[str, ...], message: str) -> None:
    assert load_config("default", ["loop.cache_views=2", "network.freeze_trunk=true"]).loop.cache_views == 2
    with pytest.raises(ConfigError, match=message):
        load_config("default", ["loop.cache_views=2", *overrides])


def test_the_page_of_options_has_their_defaults_and_they_are_off() -> None:
    page = (ROOT / "docs" / "recipes.md").read_text()
    rows = re.findall(r"^\| `([a-z_.]+)` \| `([^`]+)` \|", page, flags=re.MULTILINE)
    assert len(rows) == 14
    plain = load_config("default")
    for key, default in rows:
        assert load_config("default", [f"{key}={default}"]) == plain, key
    assert set(re.findall(r"`((?:network|optim|augment|loop)\.[a-z_.]+)", page)) <= set(_keys(TrainingConfig))


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


@pytest.mark.parametrize(
    ("overrides", "share"),
    [
        ((), 0.5),
        (("network.sv_init=random",), 1.0),
        (("network.head_init=random",), 1.0),
        (("network.pretrained=false",), 1.0),
        (("network.freeze_trunk=true",), 1.0),
        (("network.freeze_batch_norm=false",), 1.0),
        (("loop.finetuned_share=0.7",), 0.7),
        (("network.sv_init=random", "loop.finetuned_share=0.7"), 0.7),
    ],
)
def test_only_a_start_from_the_probe_is_worth_going_back_to(overrides: tuple[str, ...], share: float) -> None:
    config = load_config("default", list(overrides))
    assert config.loop.finetuned_share == share
    assert config.model_dump()["loop"]["finetuned_share"] == share, "what is written down names what was done"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("loop.finetuned_share=0.5", "network.freeze_batch_norm=false"), "^loop.finetuned_share=0.5 needs"),
        (("network.weights=x.pth", "network.pretrained=false"), "^network.weights does nothing"),
        (("network.probe_views=2", "network.head_init=random", "network.sv_init=random"), "^network.probe_views does"),
        (("network.fc.dim=256",), "^network.fc does nothing with network.embedding=sentiment_vector"),
        (("network.embedding=fc", "network.sentiment_vector.norm=global"), "^network.sentiment_vector does nothing"),
    ],
)
def test_settings_that_would_do_nothing_or_harm_are_refused(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config("default", list(overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("network.embedding=fc",), r"network\.embedding=fc take random"),
        (("network.sentiment_vector.level_weights=[1,1,1,1,0]",), r"fills the deepest level.*sv_init=random"),
        (("optim.unfreeze_epochs=12",), r"unfreeze_epochs=12 with loop\.epochs=12: no stage"),
        (("optim.unfreeze_epochs=20",), "no stage of the trunk would ever learn"),
        (("loss.embedding=hierarchical_ap", "loss.hierarchical_ap.polarity_relevance=0.6"), "is below"),
        (("augment.crop_scale=[1.0,0.4]",), r"augment\.crop_scale goes from .*got \[1\.0, 0\.4\]"),
        (("augment.crop_scale=[0,0]",), r"augment\.crop_scale"),
        (("augment.crop_scale=[0.5,1.5]",), r"augment\.crop_scale"),
        (("augment.crop_ratio=[2,1]",), r"augment\.crop_ratio goes from"),
        (("augment.mixup=inf",), r"augment\.mixup: .*finite number"),
        (("optim.lr=nan",), r"optim\.lr: "),
        (("network.polarity_scale=inf",), r"network\.polarity_scale: .*finite number"),
    ],
)
def test_settings_that_no_training_could_follow_are_refused(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config("default", list(overrides))


@pytest.mark.parametrize(
    "overrides",
    [
        ("network.sentiment_vector.level_weights=[1,1,1,1,0]", "network.sv_init=random"),
        ("network.sentiment_vector.level_weights=[0,0,0,0,1]",),
        ("optim.unfreeze_epochs=11",),
        ("optim.unfreeze_epochs=1", "loop.epochs=0"),
        ("augment.crop_scale=[1,1]", "augment.crop_ratio=[1,1]"),
    ],
)
def test_settings_at_the_edge_of_what_makes_sense_are_taken(overrides: tuple[str, ...]) -> None:
    assert load_config("default", list(overrides))


def test_any_weight_goes_with_no_loss_on_the_embedding() -> None:
    assert load_config("paper", ["loss.embedding=none"]).loss.w == 0.7
