"""Training that goes on from a bundle, with a backbone of 0.04 M parameters."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from emotion.bundle import Bundle, load_bundle, with_manifest
from emotion.errors import ConfigError, DataError
from emotion.network.spec import HeadInput, NetworkSpec
from emotion.taxonomy import MIKELS, Taxonomy, read_taxonomy
from fakes import tiny_bundle, write_gallery
from interrupted import check_same_training, interrupt
from training import run
from training.config import Init, TrainingConfig
from training.config_file import load_config
from training.crossval import cross_validate
from training.data.samples import Sample, read_samples
from training.data.splits import make_folds
from training.evaluation.out_of_fold import read_fold
from training.run import fit, train
from training.start import load_start

TINY = [
    "network.familiarity_rank=0",
    "data.batch_size=16",
    "data.min_per_class=4",
    "data.validation_fraction=0",
    "loop.epochs=1",
    "loop.patience=0",
    "optim.lr=1e-2",
    "optim.lr_head=1e-2",
    "optim.lr_backbone=1e-2",
]
OF_THE_FIRST = ["network.backbone=test_efficientnet", "network.pretrained=false", "preprocess.size_px=32"]
SIX = read_taxonomy("emotion6")


def _samples(folder: Path, emotions: tuple[str, ...], taxonomy: Taxonomy) -> list[Sample]:
    write_gallery(folder, 32, emotions)
    return read_samples(folder, taxonomy).samples


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return _samples(tmp_path_factory.mktemp("eight"), ("awe", "contentment", "fear", "sadness"), MIKELS)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, samples: list[Sample]) -> Bundle:
    """A bundle that knows half of the samples; not to be changed."""
    config = load_config("default", [*TINY, *OF_THE_FIRST, "preprocess.fit=squash", "preprocess.mean=[0.4,0.4,0.4]"])
    bundle, _, _ = fit(config, samples[::2], tmp_path_factory.mktemp("first"), data_name="painted")
    return with_manifest(bundle, terms="For painters only.")


@pytest.fixture
def loose(first: Bundle, tmp_path: Path) -> Bundle:
    """A copy of it."""
    shutil.copytree(first.path, tmp_path / "loose")
    return load_bundle(tmp_path / "loose")


def _config(first: Bundle, *overrides: str) -> TrainingConfig:
    return load_config("default", [*TINY, f"network.start={first.path}", *overrides])


def test_what_is_not_set_is_as_in_the_bundle(first: Bundle) -> None:
    config = _config(first, "preprocess.size_px=48")
    assert config.network.backbone == "test_efficientnet"
    assert config.preprocess == first.manifest.preprocess.model_copy(update={"size_px": 48})
    assert config.network.start_model_id == first.model_id
    assert config.network.head_init is config.network.sv_init is Init.BUNDLE
    assert config.loop.finetuned_share == 0.5, "fine-tuning can forget what the bundle knew"


@pytest.mark.parametrize(
    ("overrides", "head_init", "sv_init"),
    [
        (("data.taxonomy=emotion6",), Init.PROBE, Init.BUNDLE),
        (("network.sentiment_vector.n_filters=12",), Init.BUNDLE, Init.PROBE),
        (("network.head_init=probe", "network.sv_init=probe"), Init.PROBE, Init.PROBE),
        (("network.head_input=both",), Init.PROBE, Init.BUNDLE),
        (("network.embedding=fc", "network.sv_init=random"), Init.BUNDLE, Init.RANDOM),
    ],
)
def test_what_does_not_fit_starts_from_the_probe(
    first: Bundle, overrides: tuple[str, ...], head_init: Init, sv_init: Init
) -> None:
    network = _config(first, *overrides).network
    assert (network.head_init, network.sv_init) == (head_init, sv_init)


def test_a_head_on_another_embedding_is_not_the_bundles(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "reading", network=NetworkSpec(head_input=HeadInput.EMBEDDING), familiarity=None)
    assert _config(bundle).network.head_init is Init.BUNDLE
    assert _config(bundle, "network.sv_init=probe").network.head_init is Init.PROBE


def test_a_head_that_names_several_emotions_starts_from_the_probe(tmp_path: Path) -> None:
    fields = {"network": NetworkSpec(), "familiarity": None, "thresholds": dict.fromkeys(MIKELS.names, 0.5)}
    bundle = tiny_bundle(tmp_path / "several", **fields)
    network = _config(bundle).network
    assert (network.head_init, network.sv_init) == (Init.PROBE, Init.BUNDLE)
    with pytest.raises(ConfigError, match=r"head_init=bundle: .* names several emotions"):
        _config(bundle, "network.head_init=bundle")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("network.backbone=test_vit",), "network.backbone=test_vit, while the bundle .* has test_efficientnet"),
        (("preprocess.mean=[0.5,0.5,0.5]",), r"preprocess\.mean=\[0\.5.*while .* has \[0\.4, 0\.4, 0\.4\]"),
        (("preprocess.bgr=true",), r"preprocess\.bgr=True, while .* has False"),
        (("network.pretrained=false",), "do nothing with network.start"),
        (("network.weights=x.pth",), "do nothing with network.start"),
        (("network.head_init=bundle", "data.taxonomy=emotion6"), "head_init=bundle: the bundle .* knows amusement"),
        (("network.sv_init=bundle", "network.sentiment_vector.n_filters=12"), "sv_init=bundle: .*take .*sv_init=probe"),
        (("network.start_model_id=other",), "is model [0-9a-f]+, while network.start_model_id is other"),
        (("network.sentiment_vector.n_filter=12",), r"did you mean 'network\.sentiment_vector\.n_filters'"),
        (("data.taxonomi=x",), "did you mean 'data.taxonomy'"),
    ],
)
def test_what_contradicts_the_bundle_is_named(first: Bundle, overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _config(first, *overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("network.start=nowhere",), r"network\.start: no bundle at nowhere"),
        (("network.start=3",), r"network\.start: "),
        (("network.head_init=bundle",), "need a network.start"),
        (("network.start_model_id=x",), "need a network.start"),
    ],
)
def test_a_start_that_is_none_is_an_error(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config("default", list(overrides))


def test_a_written_configuration_needs_no_look_at_the_bundle(loose: Bundle) -> None:
    config = _config(loose)
    shutil.rmtree(loose.path)
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config
    assert TrainingConfig(network=config.network, preprocess=config.preprocess).network == config.network


def test_the_first_step_starts_from_the_bundles_weights(tmp_path: Path, samples: list[Sample], first: Bundle) -> None:
    trainer, _, _ = train(_config(first, "loop.epochs=0"), samples[1::2], tmp_path / "run")
    stored = load_file(first.weights_path)
    weights = trainer.net.state_dict()
    assert stored.keys() == weights.keys()
    assert stored["head.weight"].dtype == torch.float16
    for name, tensor in weights.items():
        assert torch.equal(tensor, stored[name].to(tensor)), name


@pytest.mark.parametrize(
    ("overrides", "fitted"),
    [
        (("network.head_init=probe",), ("head",)),
        (("network.sv_init=probe",), ("sentiment_vector",)),
        (("network.sv_init=probe", "network.head_init=probe"), ("head", "sentiment_vector")),
    ],
)
def test_only_what_starts_from_the_probe_differs(
    tmp_path: Path, samples: list[Sample], first: Bundle, overrides: tuple[str, ...], fitted: tuple[str, ...]
) -> None:
    trainer, _, _ = train(_config(first, "loop.epochs=0", *overrides), samples[1::2], tmp_path / "run")
    stored = load_file(first.weights_path)
    other = {name for name, t in trainer.net.state_dict().items() if not torch.equal(t, stored[name].to(t))}
    assert {name.partition(".")[0] for name in other} == set(fitted)


def test_a_fit_goes_on_to_another_label_set(tmp_path: Path, first: Bundle) -> None:
    painted = _samples(tmp_path / "six", ("anger", "fear", "joy"), SIX)
    six = [sample for sample in painted if sample.digest not in first.manifest.training_hashes]
    config = _config(first, "data.taxonomy=emotion6")
    bundle, history, _ = fit(config, six, tmp_path / "second", data_name="six")
    assert len(history) == 1
    manifest = load_bundle(bundle.path).manifest
    assert manifest.taxonomy == SIX
    assert manifest.provenance.started_from == first.model_id
    assert set(manifest.training_hashes) == {s.digest for s in six}.union(first.manifest.training_hashes)
    assert len(manifest.training_hashes) > manifest.provenance.n_training_pictures == len(six)
    assert manifest.terms == "For painters only."
    assert first.manifest.provenance.started_from is None


def test_a_resumed_fit_reads_no_weights_of_the_bundle_again(
    tmp_path: Path, samples: list[Sample], loose: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(loose, "loop.epochs=2")
    whole, _, _ = train(config, samples, tmp_path / "whole")
    interrupt(monkeypatch, lambda: fit(config, samples, tmp_path / "broken", data_name="painted"))
    loose.weights_path.unlink()
    resumed, _, _ = train(config, samples, tmp_path / "broken", resume=True)
    check_same_training(resumed, whole)
    with pytest.raises(ConfigError, match=r"network\.start: .*lacks weights"):
        fit(config, samples, tmp_path / "anew", data_name="painted")


def test_another_bundle_in_its_place_is_told_at_once(tmp_path: Path, samples: list[Sample], loose: Bundle) -> None:
    config = _config(loose)
    other = tiny_bundle(loose.path)
    with pytest.raises(ConfigError, match=f"is model {other.model_id}, while .* is {loose.model_id}"):
        fit(config, samples, tmp_path / "run", data_name="painted")
    assert not (tmp_path / "run").exists()


def test_weights_that_do_not_fit_are_named(tmp_path: Path, samples: list[Sample], first: Bundle) -> None:
    config = _config(first, "loop.epochs=0")
    net = train(config, samples, tmp_path / "run")[0].net
    net.head = torch.nn.Linear(net.head.in_features, 3)
    with pytest.raises(ConfigError, match=r"does not fit this network; .*head\.weight \(\(3, .*there \(8,"):
        load_start(net, first, config.network)


def test_validation_pictures_that_the_bundle_knows_are_told(
    tmp_path: Path, samples: list[Sample], first: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    train(_config(first, "loop.epochs=0", "data.validation_fraction=0.5"), samples[::2], tmp_path / "run")
    assert "warning: 8 of 8 validation pictures trained the bundle at network.start" in capsys.readouterr().err


def test_cross_validation_leaves_out_what_the_bundle_knows(
    tmp_path: Path, samples: list[Sample], first: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(first, "loop.epochs=0")
    seen: list[Sample] = []
    opened = run.hold_out

    def noting(kept: list[Sample], *more: Any) -> Any:
        seen.extend(kept)
        return opened(kept, *more)

    monkeypatch.setattr(run, "hold_out", noting)
    folds = make_folds(samples, 2, 0)
    summary = cross_validate(config, samples, folds, tmp_path / "cv", data_name="painted", only=[0])
    known = set(first.manifest.training_hashes)
    tested = {s.digest for s in read_fold(tmp_path / "cv", 0).scored.samples}
    assert {s.digest for s in seen} | tested == {s.digest for s in samples} - known
    assert summary["config"]["network"]["start_model_id"] == first.model_id
    with pytest.raises(DataError, match="every one of these pictures"):
        cross_validate(config, samples[::2], folds, tmp_path / "none", data_name="painted")
