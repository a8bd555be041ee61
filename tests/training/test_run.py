"""A whole fit on painted pictures with a backbone of 0.04 M parameters."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from emotion.bundle import load_bundle
from emotion.errors import ConfigError, DataError, RuntimeUnavailableError
from emotion.network.net import EmotionNet
from emotion.network.spec import HeadInput
from emotion.openvino_runtime import OpenVinoRuntime
from emotion.runtime import Device
from emotion.taxonomy import MIKELS, read_taxonomy
from emotion.torch_runtime import TorchRuntime
from fakes import write_gallery
from interrupted import check_same_training, interrupt
from training import run
from training.config import TrainingConfig
from training.config_file import load_config
from training.crossval import cross_validate
from training.data import dataset, views
from training.data.dataset import decode_sample
from training.data.inspection import training_failures
from training.data.samples import Sample, read_samples
from training.data.views import FixedViews
from training.loss_settings import EmbeddingLoss
from training.losses.build import build_loss
from training.probe import Probe, fit_probe
from training.run import fit, fit_and_assess, pick_device, train

EMOTIONS = ("awe", "contentment", "fear", "sadness")
TINY = [
    "network.backbone=test_efficientnet",
    "network.pretrained=false",
    "network.freeze_batch_norm=false",
    "preprocess.size_px=32",
    "data.batch_size=32",
    "data.min_per_class=8",
    "data.validation_fraction=0.25",
    "loop.epochs=3",
    "loop.patience=0",
    "optim.lr=1e-2",
    "optim.lr_head=1e-2",
    "optim.lr_backbone=1e-2",
]
PROXIES = ("loss.embedding=proxy_anchor", "loss.polarity_weight=0.25")


def _config(*overrides: str) -> TrainingConfig:
    return load_config("default", [*TINY, *overrides])


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    write_gallery(tmp_path / "gallery", 48, EMOTIONS)
    return read_samples(tmp_path / "gallery", MIKELS).samples


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("loop.ema_decay=0.9",),
        ("loop.patience=2",),
        ("loop.finetuned_share=0.5", "network.freeze_batch_norm=true"),
        PROXIES,
    ],
    ids=str,
)
def test_a_resumed_run_equals_an_unbroken_one(
    tmp_path: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...]
) -> None:
    config = _config(*overrides)
    whole, _, _ = train(config, samples, tmp_path / "whole")
    interrupt(monkeypatch, lambda: train(config, samples, tmp_path / "broken"))
    resumed, _, _ = train(config, samples, tmp_path / "broken", resume=True)
    check_same_training(resumed, whole)
    assert whole.history[0].embedding > 0


def test_the_same_seed_gives_the_same_bundle_and_another_seed_another(tmp_path: Path, samples: list[Sample]) -> None:
    one, again, other = (
        fit(_config("loop.epochs=1", f"seed={seed}"), samples, tmp_path / name, data_name="painted")[0]
        for name, seed in (("one", 1), ("again", 1), ("other", 2))
    )
    assert one.model_id == again.model_id
    head, other_head = (load_file(bundle.weights_path)["head.weight"] for bundle in (one, other))
    assert not torch.equal(head, other_head)


def test_the_bundle_knows_its_training_pictures_and_both_runtimes_agree(tmp_path: Path, samples: list[Sample]) -> None:
    bundle, _, held = fit(_config("loop.epochs=1"), samples, tmp_path / "run", data_name="painted")
    recorded = set(load_bundle(bundle.path).manifest.training_hashes)
    assert recorded == {s.digest for s in samples} - {s.digest for s in held}
    assert len(held) == 12
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert set(split["validation"]) == {s.digest for s in held}

    openvino, torch_cpu = OpenVinoRuntime(bundle), TorchRuntime(bundle)
    for b in (1, 3, 8):
        pixels = np.random.default_rng(b).normal(size=(b, 3, 32, 32)).astype(np.float32)
        one, other = openvino.run(pixels), torch_cpu.run(pixels)
        assert one.embeddings.shape == (b, 680)
        assert one.embeddings == pytest.approx(other.embeddings, abs=1e-5)
        assert one.logits == pytest.approx(other.logits, abs=1e-4)
        assert one.unfamiliarities == pytest.approx(other.unfamiliarities, rel=1e-3)
        assert one.unfamiliarities.shape == (b,)
    assert b"site-packages" not in bundle.onnx_path.read_bytes()


def test_what_the_loss_learns_moves_and_stays_out_of_the_bundle(tmp_path: Path, samples: list[Sample]) -> None:
    config = _config("loop.epochs=1", *PROXIES)
    before = build_loss(config.loss, MIKELS, 680, config.seed).state_dict()
    bundle, _, _ = fit(config, samples, tmp_path / "run", data_name="painted")
    after = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["loss"]
    assert {name: tuple(tensor.shape) for name, tensor in after.items()} == {
        "embedding.by_emotion.loss.proxies": (8, 680),
        "embedding.by_polarity.loss.proxies": (2, 680),
    }
    assert not any(torch.equal(before[name], tensor) for name, tensor in after.items())
    with safe_open(bundle.weights_path, "pt") as weights:
        assert not [name for name in weights.keys() if "prox" in name]  # noqa: SIM118 - no dict


@pytest.mark.parametrize("embedding", list(EmbeddingLoss))
def test_every_loss_trains(tmp_path: Path, samples: list[Sample], embedding: EmbeddingLoss) -> None:
    trainer, _, _ = train(_config("loop.epochs=1", f"loss.embedding={embedding}"), samples, tmp_path / "run")
    assert (trainer.history[0].embedding > 0) is (embedding is not EmbeddingLoss.NONE)
    assert all(torch.isfinite(tensor).all() for tensor in trainer.net.state_dict().values())


def test_training_learns(tmp_path: Path, samples: list[Sample]) -> None:
    config = _config("loop.epochs=8", "data.validation_fraction=0", "augment.crop_scale=[0.9, 1.0]")
    history = train(config, samples, tmp_path / "run")[0].history
    assert history[-1].classification < 0.8 * history[0].classification


def test_no_epoch_leaves_the_network_as_it_was_started(tmp_path: Path, samples: list[Sample]) -> None:
    none = ("loop.epochs=0", "data.validation_fraction=0")
    plain, averaged, trained = (
        train(_config(*none, *more), samples, tmp_path / str(n))[0]
        for n, more in enumerate(([], ["loop.ema_decay=0.9"], ["loop.epochs=1"]))
    )
    assert plain.history == []
    assert [r.epoch for r in trained.history] == [0]
    weights = plain.net.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in averaged.net.state_dict().items())
    assert not torch.equal(weights["head.weight"], trained.net.head.weight)
    # The head is the probe: evidence for the four emotions that are there, a low bias for the four that are not.
    present = torch.tensor([MIKELS.index(name) for name in EMOTIONS])
    absent = torch.tensor([i for i in range(8) if i not in present])
    assert (plain.net.head.weight[absent] == 0).all()
    assert plain.net.head.bias[absent].max() < plain.net.head.bias[present].min() - 1


def test_a_frozen_trunk_stays_as_it_was(tmp_path: Path, samples: list[Sample]) -> None:
    one, two = (
        train(_config(f"loop.epochs={epochs}", "network.freeze_trunk=true"), samples, tmp_path / str(epochs))[0]
        for epochs in (1, 2)
    )
    for name, tensor in one.net.state_dict().items():
        assert torch.equal(tensor, two.net.state_dict()[name]) == name.startswith("backbone."), name


def test_another_configuration_does_not_resume(tmp_path: Path, samples: list[Sample]) -> None:
    train(_config("loop.epochs=1"), samples, tmp_path / "run")
    with pytest.raises(ConfigError, match="differs in: loss"):
        train(_config("loop.epochs=1", "loss.w=0.1"), samples, tmp_path / "run", resume=True)


def test_a_run_that_stopped_early_does_not_go_on_when_resumed(tmp_path: Path, samples: list[Sample]) -> None:
    config = _config("loop.patience=1", "loop.epochs=12")
    first, _, _ = train(config, samples, tmp_path / "run")
    again, _, _ = train(config, samples, tmp_path / "run", resume=True)
    assert len(first.history) == len(again.history) < 12
    weights = first.net.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in again.net.state_dict().items())


def test_other_pictures_do_not_resume(tmp_path: Path, samples: list[Sample]) -> None:
    train(_config("loop.epochs=1"), samples, tmp_path / "run")
    split = (tmp_path / "run" / "split.json").read_text()
    with pytest.raises(ConfigError, match="other pictures"):
        train(_config("loop.epochs=1"), samples[:-4], tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "split.json").read_text() == split


def test_one_validation_picture_an_emotion_still_stops_by_accuracy(tmp_path: Path, samples: list[Sample]) -> None:
    config = _config("data.validation_fraction=0.1", "loop.patience=2")
    ten_each = [sample for start in range(0, 48, 12) for sample in samples[start : start + 10]]
    history = train(config, ten_each, tmp_path / "run")[0].history
    assert history[0].val_map is None
    assert history[0].monitored(config.loop.monitor) == history[0].val_accuracy


def test_early_stopping_keeps_the_best_epoch(tmp_path: Path, samples: list[Sample]) -> None:
    constant = ("seed=1", "optim.schedule=constant", "optim.warmup_fraction=0")
    stopped, _, _ = train(_config("loop.patience=2", "loop.epochs=6", *constant), samples, tmp_path / "stopped")
    values = [record.monitored(stopped.config.loop.monitor) or 0.0 for record in stopped.history]
    best_epoch = values.index(max(values)) + 1
    assert len(stopped.history) > best_epoch, "the case must have a worse epoch after the best"
    short, _, _ = train(_config(f"loop.epochs={best_epoch}", *constant), samples, tmp_path / "short")
    weights = short.net.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in stopped.net.state_dict().items())


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_gpu_that_is_asked_for_and_absent_is_an_error() -> None:
    with pytest.raises(RuntimeUnavailableError, match="sees no NVIDIA GPU"):
        pick_device(Device.CUDA)


def test_a_network_of_one_input_size_says_so(tmp_path: Path, samples: list[Sample]) -> None:
    with pytest.raises(ConfigError, match=r"test_vit needs preprocess\.size_px=160"):
        train(_config("network.backbone=test_vit"), samples, tmp_path / "run")


def test_one_emotion_is_refused_where_a_probe_has_to_tell_emotions_apart(tmp_path: Path, samples: list[Sample]) -> None:
    awe = [sample for sample in samples if MIKELS.names[sample.label] == "awe"]
    folds = {sample.digest: number % 2 for number, sample in enumerate(awe)}
    with pytest.raises(DataError, match=r"of two emotions.*usable ones are there of awe.*head_init=random"):
        train(_config(), awe, tmp_path / "run")
    with pytest.raises(DataError, match="usable ones are there of awe"):
        cross_validate(_config(), awe, folds, tmp_path / "cv", data_name="painted")
    assert [path.name for path in tmp_path.iterdir()] == ["gallery"]


def test_one_emotion_trains_without_a_probe(tmp_path: Path, samples: list[Sample]) -> None:
    awe = [sample for sample in samples if MIKELS.names[sample.label] == "awe"]
    random = ("network.head_init=random", "network.sv_init=random", "data.batch_size=8", "loop.epochs=1")
    assert training_failures(awe, _config(*random), MIKELS) == []
    _, metrics = fit_and_assess(_config(*random), awe, tmp_path / "run", data_name="painted")
    assert metrics["validation"]["accuracy"] in (0, 1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("data.batch_size=16", "data.min_per_class=4"), r"epoch 1, step [23]: the loss \(total\) is (nan|inf)"),
        (("loop.epochs=1",), r"epoch 1: the net's outputs are no longer finite"),
    ],
)
def test_a_training_that_diverges_says_where_and_leaves_no_bundle(
    tmp_path: Path, samples: list[Sample], overrides: tuple[str, ...], message: str
) -> None:
    rates = ("optim.lr=1e30", "optim.lr_head=1e30", "optim.lr_backbone=1e30", "optim.clip_norm=1e30")
    at_once = ("data.validation_fraction=0", "optim.optimizer=sgd", "optim.warmup_fraction=0")
    config = _config(*at_once, *rates, "optim.schedule=constant", *overrides)
    with pytest.raises(ConfigError, match=rf"diverged in {message}.*lower optim\.lr"):
        fit(config, samples, tmp_path / "run", data_name="painted")
    assert not (tmp_path / "run" / "bundle").exists()
    assert not (tmp_path / "run" / "checkpoint.pt").exists(), "nothing to go on from"


def test_where_nothing_is_trained_no_batch_has_to_hold_every_emotion(tmp_path: Path, samples: list[Sample]) -> None:
    with pytest.raises(ConfigError, match=r"take data\.batch_size=32 or data\.min_per_class=2$"):
        train(_config("data.batch_size=8"), samples, tmp_path / "batches")
    trainer, _, _ = train(_config("data.batch_size=8", "loop.epochs=0"), samples, tmp_path / "none")
    assert trainer.history == []


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[HeadInput]:
    """What every probe of a training was fitted on."""
    reads: list[HeadInput] = []

    def noting(net: EmotionNet, data: FixedViews, device: torch.device, what: HeadInput, **more: int) -> Probe:
        reads.append(what)
        return fit_probe(net, data, device, what, **more)

    monkeypatch.setattr(run, "fit_probe", noting)
    return reads


def test_too_few_filters_are_told_before_the_probe(
    tmp_path: Path, samples: list[Sample], probed: list[HeadInput]
) -> None:
    with pytest.raises(ConfigError, match=r"n_filters=10, which makes the embedding 275-d, or network\.sv_init=random"):
        train(_config("network.sentiment_vector.n_filters=9"), samples, tmp_path / "run")
    assert probed == []
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ((), ["features"]),
        (("network.head_init=random",), ["features"]),
        (("network.sv_init=random",), ["features"]),
        (("network.sv_init=random", "network.head_init=random"), []),
        (("network.head_input=both",), ["features"]),
        (("network.head_input=embedding",), ["features", "embedding"]),
        (("network.head_input=embedding", "network.sv_init=random"), ["embedding"]),
    ],
)
def test_only_a_probe_that_is_read_is_fitted(
    tmp_path: Path, samples: list[Sample], probed: list[HeadInput], overrides: tuple[str, ...], expected: list[str]
) -> None:
    train(_config("loop.epochs=0", *overrides), samples, tmp_path / "run")
    assert probed == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_with_workers_the_main_process_decodes_no_picture_and_the_bundle_is_the_same(
    tmp_path: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = fit(_config("loop.epochs=1"), samples, tmp_path / "alone", data_name="painted")[0]
    main = os.getpid()

    def elsewhere(sample: Sample, min_side_px: int) -> Image.Image:
        assert os.getpid() != main, "a pass over all pictures that no worker helps with"
        return decode_sample(sample, min_side_px)

    for module in (dataset, views):
        monkeypatch.setattr(module, "decode_sample", elsewhere)
    helped = fit(_config("loop.epochs=1", "data.n_workers=1"), samples, tmp_path / "helped", data_name="painted")[0]
    for one, other in zip(*(load_file(bundle.weights_path).items() for bundle in (alone, helped)), strict=True):
        assert one[0] == other[0]
        assert torch.equal(one[1], other[1])
    assert alone.manifest.familiarity == helped.manifest.familiarity


def test_a_loss_on_polarity_is_warned_of_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"name": "plain", "emotions": ["calm", "proud"]}
    (tmp_path / "plain.json").write_text(json.dumps(names))
    write_gallery(tmp_path / "gallery", 24, ("calm", "proud"))
    taxonomy = read_taxonomy(tmp_path / "plain.json")
    sets = (f"data.taxonomy={tmp_path / 'plain.json'}", "loss.embedding=sup_con", "loss.polarity_weight=0.25")
    train(_config("loop.epochs=0", *sets), read_samples(tmp_path / "gallery", taxonomy).samples, tmp_path / "run")
    assert "warning: 'plain' has not two sides for loss.polarity_weight=0.25" in capsys.readouterr().err
