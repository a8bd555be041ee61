"""Where an index is searched: CPU or GPU behind one object.

A CPU index may be searched by many threads at once. A GPU index may not, and concurrent searches there crash or
answer wrongly; a lock keeps them apart. The GPU path is untested on machines without an NVIDIA GPU.
"""

import threading
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Final

import faiss

from emotion.arrays import Distances, Embeddings, Rows
from emotion.cuda import cuda_failure
from emotion.errors import DeviceLostError, RuntimeUnavailableError
from emotion.runtime import Device
from index.directions import Directions, split
from index.gpu import GPU_MAX_K, gpu_is_available, gpu_memory, load_on_gpu

ROUNDING: Final = 1e-5
"""Bound on FAISS's error in a squared distance, as a share of (|q| + |x|)^2; float32 sums of 680 terms stay below."""


class DeviceIndex:
    """A FAISS index on its device.

    Args:
        index: the FAISS index, already on `device`.
        device: CPU or CUDA.
        resources: GPU memory that must live as long as the index.
        rounding: bound on the error of its squared distances, as a share of (|q| + |x|)^2.
        gpu_max_k: the most neighbours that one search gives on CUDA.
        directions: that its vectors lie along; None for whole vectors.
    """

    def __init__(
        self,
        index: Any,
        device: Device,
        resources: Any = None,
        rounding: float = ROUNDING,
        gpu_max_k: int = GPU_MAX_K,
        directions: Directions | None = None,
    ) -> None:
        self.device = device
        self.rounding = rounding
        self.max_k = gpu_max_k if device is Device.CUDA else int(index.ntotal)
        """The most neighbours one search can give."""
        self.failure: str | None = None
        """Why the GPU is lost for good; None while all is well."""
        self._index = index
        self._directions = directions
        self._resources = resources
        self._guard: AbstractContextManager[Any] = threading.Lock() if device is Device.CUDA else nullcontext()

    @property
    def count(self) -> int:
        """Vectors in the index."""
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """Size of a query."""
        return int(self._index.d) if self._directions is None else len(self._directions.axes)

    def search(self, queries: Embeddings, k: int, *, n_probe: int | None = None) -> tuple[Distances, Rows]:
        """FAISS's own answer: squared distances, as rounded by its BLAS path, and rows; -1 where there is none.

        Along the main directions, where the index has them: no longer than the true distances.

        Args:
            queries: float32, contiguous.
            k: at most max_k.
            n_probe: lists to read, for an index that has lists.

        Raises:
            DeviceMemoryError: the GPU has no memory left for this search; a later one may fit.
            DeviceLostError: the GPU failed, in this search or one before.
        """
        params = None if n_probe is None else _probing(n_probe)
        if self._directions is not None:
            queries = self._directions.project(queries)
        with self._guard:
            if self.failure is not None:
                raise DeviceLostError(self.failure)
            try:
                squared, rows = self._index.search(queries, k, params=params)
            except Exception as error:
                self._raise_for_gpu(error)
                raise
        return squared, rows

    def _raise_for_gpu(self, error: Exception) -> None:
        failure = cuda_failure(error) if self.device is Device.CUDA else None
        if isinstance(failure, DeviceLostError):
            self.failure = str(failure)
        if failure is not None:
            raise failure from error


def one_thread_per_search() -> None:
    """Searches of the calling thread leave the other cores alone; those of other threads are as they were.

    FAISS would share many queries among OpenMP threads of its own, which spin for a while after it and so take the
    cores from the model. A service has enough searches at a time to keep every core busy.
    """
    faiss.omp_set_num_threads(1)


@cache
def _probing(n_probe: int) -> Any:
    """Told with each search, and only read there; set on the index itself it would change all threads' searches."""
    params = faiss.SearchParametersIVF()
    params.nprobe = n_probe
    return params


def to_device(index: Any, device: Device = Device.AUTO) -> DeviceIndex:
    """Put a CPU index where it is to be searched; `auto` takes the GPU if there is one.

    Raises:
        RuntimeUnavailableError: the GPU is not there, or too small for the index.
        DeviceMemoryError, DeviceLostError: the GPU failed while the index was loaded.
    """
    if device is Device.CUDA and not gpu_is_available():
        raise RuntimeUnavailableError(
            "device cuda was asked for, but FAISS sees no NVIDIA GPU; "
            "install feelalike[gpu] in place of feelalike[cpu], or use --device cpu"
        )
    inner, directions = split(index)
    if device is Device.CPU or not gpu_is_available():
        return DeviceIndex(inner, Device.CPU, directions=directions)
    try:
        loaded = load_on_gpu(inner, gpu_memory().free)
    except RuntimeError as error:
        if failure := cuda_failure(error):
            raise failure from error
        raise
    rounding = ROUNDING + loaded.rounding
    return DeviceIndex(loaded.index, Device.CUDA, loaded.resources, rounding, loaded.max_k, directions)
