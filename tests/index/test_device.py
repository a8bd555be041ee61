import numpy as np
import pytest

from emotion.errors import RuntimeUnavailableError
from emotion.runtime import Device
from index.build import build_index
from index.device import gpu_is_available, to_device
from index.spec import IndexSpec

VECTORS = np.eye(4, dtype=np.float32)


@pytest.mark.skipif(gpu_is_available(), reason="this machine has a GPU")
def test_cuda_demanded_and_absent_fails_loudly():
    with pytest.raises(RuntimeUnavailableError, match="sees no NVIDIA GPU"):
        to_device(build_index(VECTORS, IndexSpec()), Device.CUDA)


@pytest.mark.skipif(gpu_is_available(), reason="this machine has a GPU")
def test_auto_without_gpu_is_the_cpu():
    assert to_device(build_index(VECTORS, IndexSpec()), Device.AUTO).device is Device.CPU


@pytest.mark.parametrize("device", [Device.CPU, pytest.param(Device.CUDA, marks=pytest.mark.gpu)])
def test_every_device_gives_the_same_rows(device):
    if device is Device.CUDA and not gpu_is_available():
        pytest.skip("no GPU")
    index = to_device(build_index(VECTORS, IndexSpec()), device)
    squared, rows = index.search(VECTORS, 1)
    assert rows.ravel().tolist() == [0, 1, 2, 3]
    assert squared.ravel().tolist() == [0, 0, 0, 0]
    assert (index.count, index.dim) == (4, 4)
