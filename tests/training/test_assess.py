from pathlib import Path

import pytest

from emotion.bundle import load_bundle
from emotion.errors import RuntimeUnavailableError
from emotion.runtime import Device
from training.assess import open_judge


@pytest.fixture
def no_openvino(monkeypatch):
    """As beside the gpu extra: only torch is installed."""

    def refuse(*_):
        raise RuntimeUnavailableError("inference on the CPU needs openvino")

    monkeypatch.setattr("training.assess.open_runtime", refuse)


def test_a_fit_is_judged_through_torch_where_openvino_is_not_installed(shipped_bundle: Path, no_openvino):
    assert open_judge(load_bundle(shipped_bundle), Device.CPU).runtime.name == "torch"


def test_a_gpu_that_was_asked_for_is_not_replaced(shipped_bundle: Path, no_openvino):
    with pytest.raises(RuntimeUnavailableError):
        open_judge(load_bundle(shipped_bundle), Device.CUDA)


def test_otherwise_it_is_judged_as_it_is_served(shipped_bundle: Path):
    assert open_judge(load_bundle(shipped_bundle), Device.CPU).runtime.name == "openvino"
