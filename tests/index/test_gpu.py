import ctypes

import faiss
import numpy as np
import pytest

from emotion.errors import RuntimeUnavailableError
from index.build import build_flat, build_ivf
from index.gpu import BUDGET_SHARE, GPU_TEMP_BYTES, HALF_ROUNDING, GpuForm, flat_bytes, form_that_fits, gpu_memory

SCRATCH = GPU_TEMP_BYTES / BUDGET_SHARE


class Sized:
    """Stands for a flat index of any size."""

    def __init__(self, ntotal: int, d: int) -> None:
        self.ntotal, self.d = ntotal, d


@pytest.mark.parametrize(
    ("free_gb", "form"),
    [(8, GpuForm.FLOAT32), (4.2, GpuForm.FLOAT32), (3.5, GpuForm.FLOAT16), (2.2, GpuForm.FLOAT16)],
)
def test_a_million_pictures_take_the_best_form_that_fits(free_gb, form):
    """2.7 GB as float32, 1.4 GB as float16, .27 GB scratch; four fifths of what is free may be taken."""
    assert form_that_fits(Sized(1_000_000, 680), int(free_gb * 1e9)) is form


def test_too_large_for_the_gpu_says_what_to_do():
    with pytest.raises(
        RuntimeUnavailableError,
        match=r"needs 1\.6 GB on the GPU, where 2\.0 GB are free and 1\.6 GB may be taken; "
        r"build the index again with --index ivf, free memory there \(.* restarted\), or use --device cpu",
    ):
        form_that_fits(Sized(1_000_000, 680), 2_000_000_000)


def test_lists_have_one_form_and_no_smaller_one(clustered):
    index = build_ivf(clustered(2000))
    assert form_that_fits(index, int(SCRATCH) + 1_000_000) is GpuForm.LISTS
    with pytest.raises(RuntimeUnavailableError, match=r"; free memory there .*, or use --device cpu") as caught:
        form_that_fits(index, int(SCRATCH) + 1000)
    assert "--index" not in str(caught.value)


def test_an_index_read_from_disk_is_told_by_its_kind(clustered, tmp_path):
    for build, form in ((build_flat, GpuForm.FLOAT32), (build_ivf, GpuForm.LISTS)):
        faiss.write_index(build(clustered(100)), str(tmp_path / "index"))
        assert form_that_fits(faiss.read_index(str(tmp_path / "index")), 10**9) is form


def test_float16_takes_about_half():
    assert flat_bytes(10**6, 680, GpuForm.FLOAT16) - GPU_TEMP_BYTES == 1_364_000_000
    assert flat_bytes(10**6, 680, GpuForm.FLOAT32) - GPU_TEMP_BYTES == 2_724_000_000


@pytest.mark.parametrize("dim", [8, 680])
def test_the_bound_on_float16_holds(clustered, dim):
    vectors = clustered(300, dim)
    vectors[:100] *= np.linspace(1e-3, 100, 100, dtype=np.float32)[:, None]
    queries, rows = vectors[:150].astype(np.float64), vectors[150:].astype(np.float64)
    half_queries, half_rows = (a.astype(np.float16).astype(np.float64) for a in (queries, rows))
    exact = ((queries[:, None] - rows) ** 2).sum(-1)
    rounded = ((half_queries[:, None] - half_rows) ** 2).sum(-1)
    lengths = np.linalg.norm(queries, axis=1)[:, None] + np.linalg.norm(rows, axis=1)
    assert (np.abs(exact - rounded) <= HALF_ROUNDING * lengths**2).all()


class Driver:
    """The NVIDIA driver's calls that are used, in order; one of them may fail."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.called: list[str] = []

    def __getattr__(self, name: str):
        def call(*arguments) -> int:
            self.called.append(name)
            if name == "cuMemGetInfo_v2":
                arguments[0]._obj.value = 7 * 10**9
                arguments[1]._obj.value = 8 * 10**9
            return 100 if name == self.failing else 0

        return call


def test_memory_is_what_the_driver_says():
    driver = Driver()
    assert gpu_memory(driver) == (7 * 10**9, 8 * 10**9)
    assert driver.called[-2:] == ["cuCtxPopCurrent_v2", "cuDevicePrimaryCtxRelease_v2"]


def test_a_failing_driver_is_left_as_it_was():
    driver = Driver(failing="cuMemGetInfo_v2")
    with pytest.raises(
        RuntimeUnavailableError, match="does not tell how much memory is free: cuMemGetInfo_v2, error 100"
    ):
        gpu_memory(driver)
    assert driver.called[-2:] == ["cuCtxPopCurrent_v2", "cuDevicePrimaryCtxRelease_v2"]


def test_without_a_driver_it_says_so():
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        with pytest.raises(RuntimeUnavailableError, match="driver cannot be asked"):
            gpu_memory()
    else:
        pytest.skip("this machine has the NVIDIA driver")
