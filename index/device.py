"""Where an index is searched: CPU or GPU behind one object.

A CPU index may be searched by many threads at once. A GPU index may not, and concurrent searches there crash or
answer wrongly; a lock keeps them apart. The GPU path is untested on machines without an NVIDIA GPU.
"""

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import faiss

from emotion.arrays import Distances, Embeddings, Rows
from emotion.errors import RuntimeUnavailableError
from emotion.runtime import Device

GPU_TEMP_BYTES: Final = 256 * 2**20
GPU_MAX_K: Final = 2048


class DeviceIndex:
    """A FAISS index on its device.

    Args:
        index: the FAISS index, already on `device`.
        device: CPU or CUDA.
        resources: GPU memory that must live as long as the index.
    """

    def __init__(self, index: Any, device: Device, resources: Any = None) -> None:
        self.device = device
        self.max_k = GPU_MAX_K if device is Device.CUDA else int(index.ntotal)
        """The most neighbours one search can give."""
        self._index = index
        self._resources = resources
        self._guard: AbstractContextManager[Any] = threading.Lock() if device is Device.CUDA else nullcontext()

    @property
    def count(self) -> int:
        """Vectors in the index."""
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """Size of a vector."""
        return int(self._index.d)

    def search(self, queries: Embeddings, k: int) -> tuple[Distances, Rows]:
        """FAISS's own answer: squared distances, as rounded by its BLAS path, and rows; -1 where there is none."""
        with self._guard:
            squared, rows = self._index.search(queries, k)
        return squared, rows


def gpu_is_available() -> bool:
    """Whether this FAISS was built for CUDA and sees a GPU."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


def to_device(index: Any, device: Device = Device.AUTO) -> DeviceIndex:
    """Put a CPU index where it is to be searched; raises RuntimeUnavailableError for a GPU that is not there."""
    if device is Device.CUDA and not gpu_is_available():
        raise RuntimeUnavailableError(
            "device cuda was asked for, but FAISS sees no NVIDIA GPU; "
            "install feelalike[gpu] in place of feelalike[cpu], or use --device cpu"
        )
    if device is Device.CPU or not gpu_is_available():
        return DeviceIndex(index, Device.CPU)
    resources = faiss.StandardGpuResources()
    resources.setTempMemory(GPU_TEMP_BYTES)
    return DeviceIndex(faiss.index_cpu_to_gpu(resources, 0, index), Device.CUDA, resources)
