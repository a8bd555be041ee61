"""Trainings whose class head no loss reaches: it is a probe on the trained net, and no figure says otherwise."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from emotion.errors import ConfigError
from emotion.taxonomy import MIKELS
from training import run
from training.config import Monitor, TrainingConfig
from training.config_file import load_config
from training.data.dataset import PictureDataset
from training.data.samples import Sample, read_samples
from training.data.splits import fold_parts, make_folds
from training.loop import EpochRecord
from training.run import train

TINTS = {"awe": (220, 60, 60), "contentment": (60, 200, 80), "fear": (60, 80, 220), "sadness": (210, 200, 60)}
TINY = (
    "network.backbone=test_efficientnet",
    "network.pretrained=false",
    "network.freeze_batch_norm=false",
    "network.head_init=random",
    "network.sv_init=random",
    "preprocess.size_px=32",
    "data.batch_size=16",
    "data.min_per_class=4",
    "data.validation_fraction=0.25",
    "loop.epochs=3",
    "loop.patience=0",
    "optim.lr=1e-2",
    "optim.lr_head=1e-2",
    "optim.lr_backbone=1e-3",
    "loss.embedding=triplet",
    "loss.w=1",
)
FC = ("network.embedding=fc", "network.head_input=embedding")


def _config(*overrides: str) -> TrainingConfig:
    return load_config("default", [*TINY, *overrides])


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Sixteen pictures of each of four emotions: its tint, and noise."""
    rng = np.random.default_rng(0)
    for name, tint in TINTS.items():
        (tmp_path / "gallery" / name).mkdir(parents=True)
        for place in range(16):
            pixels = np.clip(np.array(tint) + rng.normal(0, 60, (32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "gallery" / name / f"{place:02d}.png")
    return read_samples(tmp_path / "gallery", MIKELS).samples


@pytest.mark.parametrize(
    "overrides",
    [
        FC,
        (*FC, "loss.embedding=center"),
        ("network.head_input=features",),
        ("network.head_input=both",),
        ("network.head_input=embedding", "loss.embedding=sentiment"),
    ],
)
def test_the_head_names_new_pictures(tmp_path: Path, samples: list[Sample], overrides: tuple[str, ...]) -> None:
    """From random weights, by a loss that never asks the head."""
    known, new = fold_parts(samples, make_folds(samples, 4, 0), 0)
    trainer, _, _ = train(_config(*overrides), known, tmp_path / "run")
    data = PictureDataset(new, trainer.config.preprocess)
    pixels, labels = torch.stack([data[row][0] for row in range(len(new))]), [sample.label for sample in new]
    with torch.no_grad():
        named = trainer.net.eval()(pixels).logits.argmax(dim=1)
    assert (named == torch.tensor(labels)).float().mean() > 0.5, "chance is .25"
    assert all(record.val_accuracy is None and record.val_map is not None for record in trainer.history)


@pytest.mark.parametrize("overrides", [("loss.w=0.9",), ("loss.embedding=none",), ("loop.epochs=0",)])
def test_a_head_that_learns_or_is_not_trained_is_left_alone(
    tmp_path: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...]
) -> None:
    monkeypatch.setattr(run, "_fit_head", _refuse)
    history = train(_config("loop.epochs=1", *overrides), samples, tmp_path / "run")[0].history
    assert all(record.val_accuracy is not None for record in history)


def test_a_finished_run_that_is_resumed_has_the_same_head(tmp_path: Path, samples: list[Sample]) -> None:
    first, _, _ = train(_config(*FC), samples, tmp_path / "run")
    again, _, _ = train(_config(*FC), samples, tmp_path / "run", resume=True)
    for name, tensor in first.net.state_dict().items():
        assert torch.equal(tensor, again.net.state_dict()[name]), name


def test_early_stopping_follows_the_map(tmp_path: Path, samples: list[Sample]) -> None:
    config = _config(*FC, "loop.patience=1", "loop.epochs=8", "optim.lr_backbone=1e-1", "optim.lr=1e-1")
    history = train(config, samples, tmp_path / "run")[0].history
    values = [record.monitored(config.loop.monitor) for record in history]
    assert values == [record.val_map for record in history]
    assert len(history) < 8, "the case has to stop early"


@pytest.mark.parametrize(
    ("accuracy", "mean_ap", "expected"),
    [
        (0.5, 0.25, {"score": 0.375, "accuracy": 0.5, "mAP": 0.25}),
        (0.5, None, {"score": 0.5, "accuracy": 0.5, "mAP": 0.5}),
        (None, 0.25, {"score": 0.25, "accuracy": 0.25, "mAP": 0.25}),
        (None, None, {"score": None, "accuracy": None, "mAP": None}),
    ],
)
def test_what_is_monitored_is_what_there_is(
    accuracy: float | None, mean_ap: float | None, expected: dict[str, float | None]
) -> None:
    record = EpochRecord(0, 1.0, 1.0, 1.0, 1.0, accuracy, mean_ap)
    assert {monitor.value: record.monitored(monitor) for monitor in Monitor} == expected


def test_an_accuracy_that_is_not_there_cannot_be_followed() -> None:
    with pytest.raises(ConfigError, match=r"loop\.monitor=accuracy follows nothing with loss\.w=1.*loop\.monitor=mAP"):
        _config("loop.monitor=accuracy")
    assert not _config("loop.monitor=accuracy", "loss.w=0.9").fits_head_last


def _refuse(*_: object) -> None:
    raise AssertionError("the head has learnt, and is not to be replaced")
