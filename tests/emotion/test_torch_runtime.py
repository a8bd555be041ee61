"""The torch runtime on the CPU, and on a GPU where there is one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from emotion.bundle import Bundle, load_bundle
from emotion.errors import DeviceLostError, DeviceMemoryError, RuntimeUnavailableError
from emotion.openvino_runtime import OpenVinoRuntime
from emotion.runtime import Device, Precision, RawOutputs
from emotion.torch_runtime import BATCH_SIZES, TorchRuntime, cuda_is_available

needs_gpu = [pytest.mark.gpu, pytest.mark.skipif(not cuda_is_available(), reason="no NVIDIA GPU")]


@pytest.fixture
def bundle(shipped_bundle: Path) -> Bundle:
    return load_bundle(shipped_bundle)


def pixels(n: int) -> np.ndarray:
    """Smooth pictures, in the network's input range."""
    rng = np.random.default_rng(n)
    return np.kron(rng.uniform(-1, 1, (n, 3, 7, 7)), np.ones((32, 32))).astype(np.float32)


def unit(embeddings: np.ndarray) -> np.ndarray:
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


class Recorder:
    """Stands in for the network: a row's number is its first value; notes what it was given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[int, int]] = []
        self.error = error

    def run(self, batch: np.ndarray, n_padded: int) -> RawOutputs:
        if self.error is not None:
            raise self.error
        self.calls.append((len(batch), n_padded))
        rows = np.full((n_padded, 1), np.nan, np.float32)
        rows[: len(batch), 0] = batch[:, 0, 0, 0]
        return RawOutputs(rows, rows)


def numbered(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.float32)[:, None, None, None]


@pytest.mark.parametrize(
    ("n", "calls"), [(1, [(1, 1)]), (3, [(3, 4)]), (16, [(16, 16)]), (17, [(16, 16), (1, 1)]), (37, None)]
)
def test_batches_are_padded_to_the_fixed_sizes_and_the_padding_is_dropped(bundle, n, calls):
    runtime = TorchRuntime(bundle)
    runtime._executor = recorder = Recorder()
    outputs = runtime.run(numbered(n))
    assert outputs.embeddings.ravel().tolist() == outputs.logits.ravel().tolist() == list(range(n))
    assert calls is None or recorder.calls == calls
    assert all(padded in BATCH_SIZES for _, padded in recorder.calls)


def test_half_precision_moves_a_vector_a_little_and_fp32_not_at_all(bundle):
    batch = pixels(3)
    exact = OpenVinoRuntime(bundle).run(batch)
    shifts = {
        precision: np.linalg.norm(
            unit(TorchRuntime(bundle, precision=precision).run(batch).embeddings) - unit(exact.embeddings), axis=1
        ).max()
        for precision in (Precision.FP32, Precision.BF16)
    }
    assert shifts[Precision.FP32] < 1e-5
    assert 1e-5 < shifts[Precision.BF16] < 0.05


def test_openvino_runs_in_bf16_where_the_cpu_has_it(bundle):
    try:
        half = OpenVinoRuntime(bundle, Precision.BF16)
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    batch = pixels(3)
    shift = np.abs(unit(half.run(batch).embeddings) - unit(OpenVinoRuntime(bundle).run(batch).embeddings)).max()
    assert 0 < shift < 0.05
    assert half.precision is Precision.BF16


def test_a_cpu_without_bf16_says_so(bundle, monkeypatch):
    monkeypatch.setattr("openvino.Core.get_property", lambda *_: ["FP32", "INT8"])
    with pytest.raises(RuntimeUnavailableError, match="no bf16 arithmetic; use --precision fp32"):
        OpenVinoRuntime(bundle, Precision.BF16)


def test_torch_has_no_int8_and_says_so(bundle):
    with pytest.raises(RuntimeUnavailableError, match="torch does not run int8; use --precision bf16"):
        TorchRuntime(bundle, precision=Precision.INT8)


@pytest.mark.skipif(cuda_is_available(), reason="this machine has a GPU")
def test_cuda_demanded_and_absent_fails_loudly(bundle):
    with pytest.raises(RuntimeUnavailableError, match="sees no NVIDIA GPU"):
        TorchRuntime(bundle, Device.CUDA)


def test_out_of_memory_costs_one_batch(bundle):
    runtime = TorchRuntime(bundle)
    runtime.device = Device.CUDA  # its errors are read as a GPU's
    runtime._executor = Recorder(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    with pytest.raises(DeviceMemoryError):
        runtime.run(numbered(1))
    assert runtime.failure is None
    runtime._executor = Recorder()
    assert len(runtime.run(numbered(1)).embeddings) == 1


def test_a_lost_gpu_stays_lost(bundle):
    runtime = TorchRuntime(bundle)
    runtime.device = Device.CUDA
    runtime._executor = Recorder(RuntimeError("CUDA error: unspecified launch failure"))
    for _ in range(2):
        with pytest.raises(DeviceLostError, match="unspecified launch failure"):
            runtime.run(numbered(1))
        runtime._executor = Recorder()
    assert "restart" in str(runtime.failure)


def test_an_error_that_is_not_the_gpus_is_passed_on(bundle):
    runtime = TorchRuntime(bundle)
    runtime._executor = Recorder(RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        runtime.run(numbered(1))
    assert runtime.failure is None


@pytest.mark.parametrize("precision", [pytest.param(p, marks=needs_gpu) for p in Precision])
@pytest.mark.parametrize("n", [1, 3, 8, 17])
def test_a_replayed_graph_equals_the_cpu(bundle, precision, n):
    batch = pixels(n)
    runtime = TorchRuntime(bundle, Device.CUDA, precision)
    tolerance = 1e-4 if precision is Precision.FP32 else 0.05
    exact = OpenVinoRuntime(bundle).run(batch)
    for _ in range(2):  # the second replay meets buffers that the first one filled
        got = runtime.run(batch)
        assert unit(got.embeddings) == pytest.approx(unit(exact.embeddings), abs=tolerance)


@pytest.mark.parametrize("n_threads", [pytest.param(8, marks=needs_gpu)])
def test_threads_take_turns_on_the_gpu(bundle, n_threads):
    runtime = TorchRuntime(bundle, Device.CUDA)
    batches = [pixels(n) for n in range(1, 20)]
    alone = [runtime.run(batch).embeddings for batch in batches]
    with ThreadPoolExecutor(n_threads) as pool:
        together = list(pool.map(lambda batch: runtime.run(batch).embeddings, batches))
    for a, b in zip(alone, together, strict=True):
        assert np.array_equal(a, b)
