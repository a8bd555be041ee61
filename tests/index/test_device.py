import threading
import time

import faiss
import numpy as np
import pytest

from emotion.errors import DeviceLostError, DeviceMemoryError, QueryError, RuntimeUnavailableError
from emotion.runtime import Device
from index.build import build_flat, build_ivf
from index.device import ROUNDING, DeviceIndex, to_device
from index.gpu import (
    GPU_MAX_K,
    GPU_MAX_K_LISTS,
    HALF_ROUNDING,
    GpuForm,
    GpuMemory,
    LoadedOnGpu,
    flat_bytes,
    gpu_is_available,
    gpu_memory,
    load_on_gpu,
)
from index.plan import plan_index
from index.recall import RecallProbe, measure_recall
from index.search import SearchIndex
from index.spec import IndexChoice, WantedKind

VECTORS = np.eye(4, dtype=np.float32)
QUERY = VECTORS[:1]

OUT_OF_MEMORY = (
    "Error in virtual void* faiss::gpu::StandardGpuResourcesImpl::allocMemory(const faiss::gpu::AllocRequest&) at "
    "/project/faiss/gpu/StandardGpuResources.cpp:633: Error: 'err == cudaSuccess' failed: StandardGpuResources: alloc "
    "fail type TemporaryMemoryOverflow dev 0 space Device stream 0x5 size 1 bytes (cudaMalloc error out of memory [2])"
)
LOST = "Faiss assertion 'err__ == cudaSuccess' failed in void f() at g.cu:1; details: CUDA error 700 an illegal access"


class FakeGpuIndex:
    """A FAISS index that fails as told, once or more, and notes whether two searches ever overlapped."""

    ntotal, d = 4, 4

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.n_searches = self.n_inside = self.most_inside = 0

    def search(self, queries, k, params=None):
        self.n_searches += 1
        if self.failures:
            raise self.failures.pop(0)
        self.n_inside += 1
        self.most_inside = max(self.most_inside, self.n_inside)
        time.sleep(0.001)
        self.n_inside -= 1
        return np.zeros((len(queries), k), np.float32), np.tile(np.arange(k), (len(queries), 1))


@pytest.mark.skipif(gpu_is_available(), reason="this machine has a GPU")
def test_cuda_demanded_and_absent_fails_loudly():
    with pytest.raises(RuntimeUnavailableError, match="sees no NVIDIA GPU"):
        to_device(build_flat(VECTORS), Device.CUDA)


@pytest.mark.skipif(gpu_is_available(), reason="this machine has a GPU")
def test_auto_without_gpu_is_the_cpu():
    assert to_device(build_flat(VECTORS), Device.AUTO).device is Device.CPU


def test_the_cpu_gives_rows_and_squared_distances():
    index = to_device(build_flat(VECTORS), Device.CPU)
    squared, rows = index.search(VECTORS, 1)
    assert rows.ravel().tolist() == [0, 1, 2, 3]
    assert squared.ravel().tolist() == [0, 0, 0, 0]
    assert (index.count, index.dim, index.max_k, index.failure) == (4, 4, 4, None)


def test_out_of_memory_costs_one_search():
    index = DeviceIndex(FakeGpuIndex(RuntimeError(OUT_OF_MEMORY)), Device.CUDA)
    with pytest.raises(DeviceMemoryError, match="out of memory"):
        index.search(QUERY, 2)
    assert index.failure is None
    assert index.search(QUERY, 2)[1].tolist() == [[0, 1]]


def test_a_lost_gpu_stays_lost():
    fake = FakeGpuIndex(RuntimeError(LOST))
    search = SearchIndex(DeviceIndex(fake, Device.CUDA), VECTORS, ["a", "b", "c", "d"])
    assert search.failure is None
    for _ in range(3):
        with pytest.raises(DeviceLostError, match="CUDA error 700"):
            search.search(QUERY, 1)
    assert fake.n_searches == 1, "a GPU that is lost is not asked again"
    assert "CUDA error 700" in search.failure


@pytest.mark.parametrize(
    ("device", "error"),
    [(Device.CPU, RuntimeError(LOST)), (Device.CUDA, RuntimeError("'k > 0' failed")), (Device.CUDA, ValueError("odd"))],
)
def test_other_errors_are_left_alone(device, error):
    index = DeviceIndex(FakeGpuIndex(error), device)
    with pytest.raises(type(error)) as caught:
        index.search(QUERY, 1)
    assert caught.value is error
    assert index.failure is None


def test_a_gpu_gets_one_search_at_a_time():
    fake = FakeGpuIndex()
    index = DeviceIndex(fake, Device.CUDA)
    in_threads(lambda: [index.search(QUERY, 1) for _ in range(5)])
    assert (fake.n_searches, fake.most_inside) == (40, 1)


def test_the_lock_is_released_after_a_failure():
    fake = FakeGpuIndex(*(RuntimeError(OUT_OF_MEMORY) for _ in range(3)))
    index = DeviceIndex(fake, Device.CUDA)
    for _ in range(3):
        with pytest.raises(DeviceMemoryError):
            index.search(QUERY, 1)
    index.search(QUERY, 1)


class ManyFakeRows(FakeGpuIndex):
    ntotal = 5000


def test_k_above_the_gpus_limit_is_a_clear_error():
    search = SearchIndex(DeviceIndex(ManyFakeRows(), Device.CUDA), np.eye(5000, 4, dtype=np.float32), range(5000))
    with pytest.raises(QueryError, match="k = 2049 is above 2048, the most that an index on a GPU gives"):
        search.search(QUERY, 2049)


class HalfFlat:
    """Exact search as a GPU does it that keeps float16: vectors and queries are rounded."""

    def __init__(self, vectors: np.ndarray) -> None:
        self._index = build_flat(vectors.astype(np.float16).astype(np.float32))
        self.ntotal, self.d = vectors.shape
        self.widest = 0

    def search(self, queries, k, params=None):
        self.widest = max(self.widest, k)
        return self._index.search(queries.astype(np.float16).astype(np.float32), k)


def test_float16_on_the_gpu_still_answers_exactly(clustered):
    vectors = np.concatenate([clustered(1500, 64), clustered(1, 64, seed=1) + 1e-5 * clustered(400, 64, seed=2)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"{row:032x}" for row in range(len(vectors))]
    expected = SearchIndex(to_device(build_flat(vectors), Device.CPU), vectors, ids).search(vectors[::20], 10)
    half = HalfFlat(vectors)
    found = SearchIndex(DeviceIndex(half, Device.CUDA, rounding=ROUNDING + HALF_ROUNDING), vectors, ids)
    assert [hits.ids for hits in found.search(vectors[::20], 10)] == [hits.ids for hits in expected]
    assert half.widest > 400


@pytest.mark.parametrize(("rounding", "is_right"), [(ROUNDING, False), (ROUNDING + HALF_ROUNDING, True)])
def test_the_bound_on_float16_is_needed(rounding, is_right):
    """The five nearest all round up, past 26 vectors that are exact in float16: only a wider look finds them.

    Above 1/8, float16 has 1/8 (1 + 2^-10), and 1/8 (1 + .000495) rounds to that. So the squared length of the first
    five is 1.00099, but 1.00195 as rounded; that of vectors with 40 or 56 of 64 numbers there is 1.0012 and 1.0017.
    """
    up = np.float32(2**-10)
    nearest = np.full((5, 64), 0.000495, np.float32)
    others = np.array([[up] * n_up + [0] * (64 - n_up) for n_up in [40] * 10 + [56] * 16], np.float32)
    vectors = (1 + np.concatenate([others, nearest])) / 8
    index = SearchIndex(DeviceIndex(HalfFlat(vectors), Device.CUDA, rounding=rounding), vectors, range(31))
    (hits,) = index.search(np.zeros((1, 64), np.float32), 10)
    assert (hits.rows.tolist() == [26, 27, 28, 29, 30, 0, 1, 2, 3, 4]) is is_right


@pytest.fixture
def seeming_gpu(monkeypatch):
    """A GPU with this much free memory, as far as the policy can tell; loading on it is left to the test."""

    def seem(free_bytes: int, load=load_on_gpu) -> None:
        monkeypatch.setattr("index.device.gpu_is_available", lambda: True)
        monkeypatch.setattr("index.device.gpu_memory", lambda: GpuMemory(free_bytes, 10**12))
        monkeypatch.setattr("index.device.load_on_gpu", load)

    return seem


@pytest.mark.parametrize("device", [Device.CUDA, Device.AUTO])
def test_an_index_too_large_for_the_gpu_never_falls_back_to_the_cpu(seeming_gpu, device):
    seeming_gpu(free_bytes=10**6)
    with pytest.raises(RuntimeUnavailableError, match=r"needs 0\.3 GB on the GPU, where 0\.0 GB are free.*--index ivf"):
        to_device(build_flat(VECTORS), device)


@pytest.mark.parametrize(("text", "expected"), [(OUT_OF_MEMORY, DeviceMemoryError), (LOST, DeviceLostError)])
def test_a_gpu_that_fails_while_loading_is_told_as_such(seeming_gpu, text, expected):
    def fail(_index, _free_bytes):
        raise RuntimeError(text)

    seeming_gpu(10**9, fail)
    with pytest.raises(expected):
        to_device(build_flat(VECTORS), Device.CUDA)


def test_the_rounding_and_the_limit_of_what_was_loaded_are_kept(seeming_gpu):
    loaded = LoadedOnGpu(FakeGpuIndex(), object(), HALF_ROUNDING, GPU_MAX_K_LISTS)
    seeming_gpu(10**9, lambda _index, _free_bytes: loaded)
    index = to_device(build_flat(VECTORS), Device.AUTO)
    assert (index.device, index.rounding, index.max_k) == (Device.CUDA, ROUNDING + HALF_ROUNDING, 512)


def test_on_the_cpu_the_gpu_is_not_asked(seeming_gpu):
    seeming_gpu(free_bytes=0)
    assert to_device(build_flat(VECTORS), Device.CPU).device is Device.CPU


def in_threads(work) -> list:
    """Run the same work in eight threads at once; what each gave, or raised."""
    answers: list = []

    def note() -> None:
        try:
            answers.append(work())
        except Exception as error:
            answers.append(error)

    threads = [threading.Thread(target=note) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.fixture
def gpu():
    """The GPU of this machine."""
    if not gpu_is_available():
        pytest.skip("no NVIDIA GPU")
    return Device.CUDA


@pytest.mark.gpu
@pytest.mark.parametrize("dim", [32, 680])
def test_exact_search_on_the_gpu_is_that_of_the_cpu(gpu, clustered, dim):
    vectors = clustered(5000, dim)
    ids = [f"{row:032x}" for row in range(len(vectors))]
    cpu, cuda = (SearchIndex(to_device(build_flat(vectors), device), vectors, ids) for device in (Device.CPU, gpu))
    queries = np.concatenate([vectors[:100], clustered(100, dim, seed=1)])
    for expected, hits in zip(cpu.search(queries, 10), cuda.search(queries, 10), strict=True):
        assert hits.ids == expected.ids
        np.testing.assert_array_equal(hits.distances, expected.distances)


@pytest.mark.gpu
def test_float16_on_a_real_gpu_answers_exactly(gpu, clustered, monkeypatch):
    vectors = clustered(5000, 680)
    ids = [f"{row:032x}" for row in range(len(vectors))]
    only_half_fits = int(flat_bytes(5000, 680, GpuForm.FLOAT16) / 0.8) + 1
    monkeypatch.setattr("index.device.gpu_memory", lambda: GpuMemory(only_half_fits, 10**12))
    half = to_device(build_flat(vectors), gpu)
    assert half.rounding == ROUNDING + HALF_ROUNDING
    cpu = SearchIndex(to_device(build_flat(vectors), Device.CPU), vectors, ids)
    expected = [hits.ids for hits in cpu.search(vectors[:200], 10)]
    assert [hits.ids for hits in SearchIndex(half, vectors, ids).search(vectors[:200], 10)] == expected


@pytest.mark.gpu
def test_lists_on_the_gpu_reach_the_recall_of_the_cpu(gpu, clustered, gallery_rows):
    vectors = clustered(20_000, 64)
    rows = gallery_rows(vectors)
    index, spec = plan_index(rows, IndexChoice(kind=WantedKind.IVF), RecallProbe.draw(vectors))
    cpu, cuda = (SearchIndex(to_device(index, device), vectors, rows.ids, spec.ivf) for device in (Device.CPU, gpu))
    assert cuda.device is Device.CUDA
    assert measure_recall(cuda, vectors) == pytest.approx(measure_recall(cpu, vectors), abs=0.005)
    assert len(cuda.search(vectors[:1], GPU_MAX_K_LISTS)[0]) == GPU_MAX_K_LISTS
    with pytest.raises(QueryError, match="the most that an index on a GPU gives"):
        cuda.search(vectors[:1], GPU_MAX_K_LISTS + 1)


@pytest.mark.gpu
@pytest.mark.parametrize("build", [build_flat, build_ivf])
def test_eight_threads_on_the_gpu_get_the_answers_of_one(gpu, clustered, build):
    vectors = clustered(5000, 64)
    index = to_device(build(vectors), gpu)
    options = {"n_probe": 8} if build is build_ivf else {}
    expected = index.search(vectors[:50], 10, **options)[1].tolist()
    assert (
        in_threads(lambda: [index.search(vectors[:50], 10, **options)[1].tolist() for _ in range(20)])
        == [[expected] * 20] * 8
    )


@pytest.mark.gpu
def test_memory_on_the_gpu_stays_within_what_was_reckoned(gpu, clustered):
    vectors = clustered(100_000, 680)
    before = gpu_memory().free
    index = to_device(build_flat(vectors), gpu)
    for _ in range(50):
        index.search(vectors[:64], GPU_MAX_K)
    taken = before - gpu_memory().free
    # FAISS keeps streams and cuBLAS workspaces besides.
    assert taken <= flat_bytes(100_000, 680, GpuForm.FLOAT32) + 256 * 2**20


@pytest.mark.gpu
def test_a_gallery_beyond_the_gpu_is_refused(gpu, monkeypatch):
    monkeypatch.setattr("index.device.gpu_memory", lambda: GpuMemory(10**6, 10**12))
    with pytest.raises(RuntimeUnavailableError, match="--index ivf"):
        to_device(build_flat(VECTORS), gpu)


@pytest.mark.skipif(not hasattr(faiss, "StandardGpuResources"), reason="FAISS was not built for CUDA")
def test_the_names_used_of_faiss_gpu_exist():
    config, options = faiss.GpuIndexFlatConfig(), faiss.GpuClonerOptions()
    config.useFloat16, config.use_cuvs, options.use_cuvs = True, False, False
    assert config.useFloat16
    faiss.StandardGpuResources().setTempMemory(2**20)
    faiss.StandardGpuResources().setPinnedMemory(2**20)
    assert faiss.index_cpu_to_gpu
    assert faiss.GpuIndexFlatL2
