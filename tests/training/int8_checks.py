"""The int8 graph of a bundle, from the command to a picture's numbers."""

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion.bundle import INT8_NAMES, MANIFEST_NAME, Bundle, Provenance, load_bundle
from emotion.errors import DataError, RuntimeUnavailableError
from emotion.network.net import EmotionNet
from emotion.network.spec import NetworkSpec
from emotion.predictor import Predictor
from emotion.preprocess import PreprocessSpec
from emotion.runtime import Device, Precision
from emotion.taxonomy import MIKELS
from fakes import write_gallery
from training.export import export_bundle
from training.quantise import calibration_pictures, float_operations

N_TRAINED = 12
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_gallery(tmp_path_factory.mktemp("photos"), 16)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, photos: list[Path]) -> Bundle:
    """A small network with depthwise convolutions, trained (as it says) on the first of the photos."""
    torch.manual_seed(0)
    net = EmotionNet(NetworkSpec(backbone="test_efficientnet"), 8).eval()
    digests = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in photos[:N_TRAINED])
    provenance = Provenance(
        created=datetime(2026, 1, 1, tzinfo=UTC), version="0", config={}, data="tiny", n_training_pictures=N_TRAINED
    )
    return export_bundle(
        tmp_path_factory.mktemp("tiny") / "bundle",
        net,
        32,
        name="tiny",
        taxonomy=MIKELS,
        preprocess=PreprocessSpec(size_px=32),
        provenance=provenance,
        training_hashes=digests,
    )


@pytest.fixture(scope="module")
def quantised(plain: Bundle, photos: list[Path]) -> Bundle:
    pytest.importorskip("nncf")
    # As a user runs it.
    command = [sys.executable, "-m", "training", "quantise", "--bundle", plain.path, "--data", photos[0].parents[1]]
    done = subprocess.run([*command, "--n", "8"], check=False, capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert done.returncode == 0, done.stderr
    return load_bundle(plain.path)


def test_the_graph_lies_in_the_bundle_and_the_model_stays_the_same(plain: Bundle, quantised: Bundle) -> None:
    graph = quantised.manifest.int8
    assert graph is not None
    assert graph.n_pictures == 8
    assert set(graph.libraries) == {"nncf", "openvino"}
    assert quantised.model_id == plain.model_id
    assert quantised.int8_model_id.startswith(f"{plain.model_id}-int8-")
    assert {path.name for path in quantised.path.iterdir()} == {*plain.manifest.files, *INT8_NAMES, MANIFEST_NAME}
    assert str(plain.path) not in (plain.path / INT8_NAMES[0]).read_text()


def test_every_convolution_before_the_levels_is_in_8_bits(quantised: Bundle) -> None:
    """Depthwise ones too: their kernels are not constants in the ONNX graph as it is read."""
    from emotion.openvino_runtime import the_core

    model = the_core().read_model(str(quantised.int8_path))
    kinds = {True: 0, False: 0}
    for operation in model.get_ops():
        if operation.get_type_name() in ("Convolution", "GroupConvolution"):
            kinds[_has_bytes_for_weights(operation)] += 1
    n_levels = quantised.manifest.network.sentiment_vector.n_levels
    assert kinds[False] == n_levels
    assert kinds[True] > n_levels


def _has_bytes_for_weights(operation: object) -> bool:
    node = operation.input_value(1).get_node()  # type: ignore[attr-defined]
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    return bool(node.get_element_type().get_type_name() == "i8")


def test_its_numbers_are_near_the_exact_ones_under_an_identity_of_their_own(
    quantised: Bundle, photos: list[Path]
) -> None:
    exact = Predictor.open(quantised.path, Device.CPU)
    bytewise = Predictor.open(quantised.path, Device.CPU, Precision.INT8)
    expected, found = exact.predict(photos), bytewise.predict(photos)
    moved = np.linalg.norm(found.embeddings - expected.embeddings, axis=1)
    assert 0 < moved.mean() < 0.2
    assert found.probabilities == pytest.approx(expected.probabilities, abs=0.1)
    assert bytewise.precision is Precision.INT8
    assert (exact.model_id, bytewise.model_id) == (quantised.model_id, quantised.int8_model_id)


def test_it_is_calibrated_on_training_pictures_only_and_on_the_same_ones_every_time(
    plain: Bundle, photos: list[Path]
) -> None:
    folder = photos[0].parents[1]
    chosen = calibration_pictures(plain, folder, 8)
    assert len(set(chosen)) == 8
    assert set(chosen) < set(photos[:N_TRAINED])
    assert calibration_pictures(plain, folder, 8) == chosen
    assert set(calibration_pictures(plain, folder, 300)) == set(photos[:N_TRAINED])


def test_other_pictures_are_refused(plain: Bundle, tmp_path: Path) -> None:
    (path,) = write_gallery(tmp_path / "others", 1)
    path.write_bytes(write_gallery(tmp_path / "more", 20)[-1].read_bytes())
    with pytest.raises(DataError, match="none of the 1 pictures"):
        calibration_pictures(plain, tmp_path / "others", 8)


def test_what_no_convolution_follows_stays_float() -> None:
    """By hand: pixels -> convolution -> relu -> convolution -> relu, and a norm beside the second convolution."""
    import openvino as ov
    from openvino import opset13 as ops

    pixels = ops.parameter([1, 1, 4, 4], np.float32, name="pixels")
    kernel = np.ones((1, 1, 1, 1), np.float32)

    def convolution(source: ov.Node, name: str) -> ov.Node:
        return ops.convolution(source, kernel, [1, 1], [0, 0], [0, 0], [1, 1], name=name)

    first = ops.relu(convolution(pixels, "first"), name="relu")
    last = ops.relu(convolution(first, "last"), name="after")
    norm = ops.reduce_l2(first, np.array([1]), name="norm")
    assert float_operations(ov.Model([last, norm], [pixels])) == ["after", "last", "norm"]


def test_a_bundle_without_says_what_to_run(shipped_bundle: Path, tmp_path: Path) -> None:
    content = json.loads((shipped_bundle / MANIFEST_NAME).read_text())
    content.pop("int8", None)
    for name in content["files"]:
        (tmp_path / name).symlink_to(shipped_bundle / name)
    (tmp_path / MANIFEST_NAME).write_text(json.dumps(content))
    with pytest.raises(RuntimeUnavailableError, match=r"no int8 graph.*python -m training quantise --bundle"):
        Predictor.open(tmp_path, Device.CPU, Precision.INT8)
