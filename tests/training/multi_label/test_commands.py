"""The commands for several labels a picture, from pictures and a file of weights on."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from emotion.bundle import load_bundle
from emotion.errors import ConfigError, DataError
from emotion.network.backbone import build_backbone
from emotion.network.spec import NetworkSpec
from emotion.predictor import Predictor
from emotion.runtime import Device
from fakes import encoded
from training.__main__ import app
from training.assess import refuse_multi_label

NAME = "test_efficientnet"


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """Data and backbone, as options."""
    torch.manual_seed(0)
    save_file(build_backbone(NetworkSpec(backbone=NAME)).body.state_dict(), tmp_path / "weights.safetensors")
    rows = ["path,labels"]
    for seed in range(30):
        (tmp_path / f"{seed}.png").write_bytes(encoded(seed))
        rows.append(f"{seed}.png,{('joy|trust', 'joy', 'fear|anger')[seed % 3]}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    backbone = ["--backbone", NAME, "--weights", str(tmp_path / "weights.safetensors"), "--device", "cpu"]
    return ["--data", str(tmp_path), *backbone]


def call(*arguments: str):
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_the_experiment_prints_and_writes_its_table(tmp_path: Path, given: list[str]) -> None:
    done = call("experiment", "multilabel", *given, "--out", str(tmp_path / "out"), "--seeds", "1")
    assert done.exit_code == 0
    assert (tmp_path / "out/multilabel.md").read_text().strip() in done.stdout
    content = json.loads((tmp_path / "out/multilabel.json").read_text())
    assert (content["taxonomy"], content["seeds"], len(content["rows"])) == ("plutchik", [1], 12)
    assert content["counts"]["joy"] == 20


def test_a_model_is_trained_once(tmp_path: Path, given: list[str]) -> None:
    out = tmp_path / "run"
    command = ["fit-multilabel", *given, "--out", str(out), "--method", "bce", "--epochs", "2"]
    with pytest.raises(ConfigError, match="--margin is for --method triplet"):
        call(*command, "--margin", "2")
    assert call(*command).exit_code == 0
    bundle = load_bundle(out / "bundle")
    assert bundle.dim == 256
    assert bundle.manifest.taxonomy.name == "plutchik"
    assert bundle.manifest.provenance.config["multi_label"]["method"] == "bce"
    said = Predictor.open(out / "bundle", Device.CPU).predict([encoded(1)])
    assert said.probabilities.shape == (1, 8)
    with pytest.raises(ConfigError, match="holds a bundle already"):
        call(*command)
    with pytest.raises(DataError, match="several emotions a picture"):
        refuse_multi_label(bundle)
