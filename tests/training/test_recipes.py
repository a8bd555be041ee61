"""Options of a recipe, each in a whole training of a backbone of 0.04 M parameters."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emotion.network.net import EmotionNet
from emotion.openvino_runtime import OpenVinoRuntime
from emotion.taxonomy import MIKELS
from emotion.torch_runtime import TorchRuntime
from fakes import write_gallery
from interrupted import check_same_training, interrupt
from training.config import TrainingConfig
from training.config_file import load_config
from training.data.samples import Sample, read_samples
from training.run import fit, train

TINY = [
    "network.backbone=test_efficientnet",
    "network.pretrained=false",
    "network.familiarity_rank=0",
    "preprocess.size_px=32",
    "data.batch_size=16",
    "data.min_per_class=4",
    "data.validation_fraction=0",
    "loop.epochs=3",
    "loop.patience=0",
    "optim.lr=1e-2",
    "optim.lr_head=1e-2",
    "optim.lr_backbone=1e-2",
]
FROZEN = "network.freeze_trunk=true"
FC = ("network.embedding=fc", "network.sv_init=random", "network.head_input=embedding")


def _config(*overrides: str) -> TrainingConfig:
    return load_config("default", [*TINY, *overrides])


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    write_gallery(tmp_path / "gallery", 48, ("awe", "contentment", "fear", "sadness"))
    return read_samples(tmp_path / "gallery", MIKELS).samples


@pytest.mark.parametrize(
    "overrides",
    [
        ("augment.mixup=0.4", "augment.cutmix=1.0"),
        ("optim.unfreeze_epochs=1", "optim.layer_decay=0.7"),
        (FROZEN, "loop.cache_views=2"),
        ("network.head_input=both", "network.sentiment_vector.projection=linear"),
        (FROZEN, "loop.cache_views=2", *FC),
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


@pytest.mark.parametrize("autocast", ["true", "false"])
def test_as_many_cached_views_as_epochs_change_nothing_but_rounding(
    tmp_path: Path, samples: list[Sample], autocast: str
) -> None:
    plain = _config(FROZEN, f"loop.autocast={autocast}")
    cached = _config(FROZEN, f"loop.autocast={autocast}", "loop.cache_views=3")
    one, other = (train(config, samples, tmp_path / str(n))[0] for n, config in enumerate((plain, cached)))
    for record, same in zip(one.history, other.history, strict=True):
        assert same.loss == pytest.approx(record.loss, rel=0.002)
    fewer = train(_config(FROZEN, f"loop.autocast={autocast}", "loop.cache_views=1"), samples, tmp_path / "fewer")[0]
    assert fewer.history[0].loss == pytest.approx(one.history[0].loss, rel=0.002)
    apart = max(abs(f.loss / whole.loss - 1) for f, whole in zip(fewer.history, one.history, strict=True))
    assert apart > 0.004, "one view must be another training"


def test_a_finished_run_caches_nothing_when_resumed(tmp_path: Path, samples: list[Sample]) -> None:
    config = _config(FROZEN, "loop.cache_views=2", "loop.epochs=1")
    first = train(config, samples, tmp_path / "run")[0]
    for path in (tmp_path / "gallery").rglob("*.png"):
        path.unlink()  # so that any look at a picture would fail
    again = train(config, samples, tmp_path / "run", resume=True)[0]
    assert torch.equal(again.net.head.weight, first.net.head.weight)


def _trunk_at_the_start(config: TrainingConfig) -> dict[str, torch.Tensor]:
    torch.manual_seed(config.seed)
    return EmotionNet(config.network.spec(), 8).backbone.state_dict()


def test_stages_begin_to_learn_from_the_head_down(tmp_path: Path, samples: list[Sample]) -> None:
    for epochs, changed in ((2, ("blocks.4",)), (3, ("blocks.3", "blocks.4"))):
        config = _config("optim.unfreeze_epochs=1", "optim.schedule=constant", f"loop.epochs={epochs}")
        trainer, _, _ = train(config, samples, tmp_path / str(epochs))
        start = _trunk_at_the_start(config)
        now = trainer.net.backbone.state_dict()
        moved = {name for name in now if not torch.equal(now[name], start[name])}
        expected = {
            name for name, _ in trainer.net.backbone.named_parameters() if name.removeprefix("body.")[:8] in changed
        }
        head = {name for name in moved if name.startswith(("body.conv_head", "body.bn2"))}
        assert head, "the convolution above the last stage goes with it"
        assert moved - head == expected


def test_stages_that_never_learn_are_told(
    tmp_path: Path, samples: list[Sample], capsys: pytest.CaptureFixture[str]
) -> None:
    train(_config("optim.unfreeze_epochs=1", "loop.epochs=2"), samples, tmp_path / "run")
    assert "warning: optim.unfreeze_epochs=1 with loop.epochs=2 lets 1 of" in capsys.readouterr().err


def test_what_nothing_reads_is_held_still(tmp_path: Path, samples: list[Sample]) -> None:
    """The head convolution comes after the stage that the vector ends with, and the class head reads the vector."""
    config = _config(
        "network.head_input=embedding",
        "network.sentiment_vector.deepest=stage",
        "network.sv_init=random",
        "loop.epochs=1",
    )
    net = train(config, samples, tmp_path / "run")[0].net
    still = {name for name, parameter in net.named_parameters() if not parameter.requires_grad}
    assert still == {f"backbone.body.{name}" for name in ("conv_head.weight", "bn2.weight", "bn2.bias")}
    read = train(_config("network.head_input=embedding", "loop.epochs=1"), samples, tmp_path / "read")[0].net
    assert all(parameter.requires_grad for parameter in read.parameters())


def test_mixing_changes_what_the_class_head_learns_from_and_not_the_embeddings_loss(
    tmp_path: Path, samples: list[Sample]
) -> None:
    one_step = ("loop.epochs=1", "data.batch_size=48", "network.dropout=0", "loop.autocast=false")
    plain, mixed = (
        train(_config(*one_step, f"augment.mixup={alpha}"), samples, tmp_path / alpha)[0].history[0]
        for alpha in ("0", "0.8")
    )
    assert mixed.embedding == pytest.approx(plain.embedding, rel=1e-4)
    assert mixed.classification > plain.classification + 0.01


def test_a_bundle_of_averaged_views_is_the_same_in_both_runtimes(tmp_path: Path, samples: list[Sample]) -> None:
    config = _config("loop.epochs=1", "network.flip_average=true", "network.head_input=embedding")
    bundle, _, _ = fit(config, samples, tmp_path / "run", data_name="painted")
    openvino, torch_cpu = OpenVinoRuntime(bundle), TorchRuntime(bundle)
    for b in (1, 3):
        pixels = np.random.default_rng(b).normal(size=(b, 3, 32, 32)).astype(np.float32)
        one, other, mirrored = openvino.run(pixels), torch_cpu.run(pixels), openvino.run(pixels[..., ::-1].copy())
        assert one.embeddings == pytest.approx(other.embeddings, abs=1e-5)
        assert one.logits == pytest.approx(other.logits, abs=1e-4)
        assert one.embeddings == pytest.approx(mirrored.embeddings, abs=1e-5)


def test_several_views_reach_the_probe(tmp_path: Path, samples: list[Sample]) -> None:
    heads = [
        train(_config("loop.epochs=1", f"network.probe_views={n}", FROZEN), samples, tmp_path / str(n))[
            0
        ].net.head.weight
        for n in (1, 3)
    ]
    assert not torch.equal(*heads)
