"""An index in a GPU's memory: how much is free, what each form of the index needs, which of them fits.

The copy on the GPU only answers searches. What is added to a gallery or removed from it changes the snapshot on
disk, never this copy. Untested without an NVIDIA GPU; names and limits are those of faiss-gpu 1.15.
"""

import ctypes
from enum import StrEnum
from typing import Any, Final, NamedTuple

import faiss

from emotion.errors import RuntimeUnavailableError

GPU_TEMP_BYTES: Final = 256 * 2**20
GPU_MAX_K: Final = 2048
"""Most neighbours of an exact search, and most lists, that one search on a GPU can take."""
GPU_MAX_K_LISTS: Final = 512
"""Most neighbours out of lists of 8-bit numbers.

FAISS's kernels for 1024 and 2048 fill the 48 KiB of shared memory that a block gets, which leaves none for the codec's
two numbers a dimension: the launch fails, and FAISS ends the process.
"""
GPU_PINNED_BYTES: Final = 16 * 2**20
"""Host memory locked for transfers; 256 MiB unless told otherwise."""
BUDGET_SHARE: Final = 0.8
"""Of the free memory, for an index; the rest is the model's, and for queries in flight."""
PLAN_SHARE: Final = 0.4
"""Of all memory, for an index that is planned: while a service takes a new one, the old one lies there too."""
HALF_ROUNDING: Final = 1.1e-3
"""Error of a squared distance between vectors rounded to float16, as a share of (|q| + |x|)^2.

Each vector moves by at most 2^-11 of its length, so a distance D by 2^-11 (|q| + |x|) and D^2 by 2D times that, with
D <= |q| + |x|: 2^-10 = .98e-3. Numbers below float16's range add less than the tenth on top.
"""
_IVF_OVERHEAD = 1.25
_ID_BYTES = 8
_NORM_BYTES = 4


class GpuForm(StrEnum):
    """How the vectors lie in the GPU's memory."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    LISTS = "lists"


class LoadedOnGpu(NamedTuple):
    """An index that lies on the GPU."""

    index: Any
    resources: Any
    rounding: float = 0.0
    """Error of its squared distances beyond float32's."""
    max_k: int = GPU_MAX_K


def gpu_is_available() -> bool:
    """Whether this FAISS was built for CUDA and sees a GPU."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


class GpuMemory(NamedTuple):
    """Bytes of a GPU."""

    free: int
    total: int


def gpu_memory(driver: Any = None) -> GpuMemory:
    """Memory of the first visible GPU, asked of the NVIDIA driver: FAISS's bindings do not tell.

    Args:
        driver: the driver's library; the system's by default.
    """
    try:
        driver = driver or ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise RuntimeUnavailableError(f"the NVIDIA driver cannot be asked for the GPU's memory: {error}") from error
    device, context = ctypes.c_int(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    _call(driver, "cuInit", 0)
    _call(driver, "cuDeviceGet", ctypes.byref(device), 0)
    _call(driver, "cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    try:
        _call(driver, "cuCtxPushCurrent_v2", context)
        try:
            _call(driver, "cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        finally:
            _call(driver, "cuCtxPopCurrent_v2", ctypes.byref(context))
    finally:
        _call(driver, "cuDevicePrimaryCtxRelease_v2", device)
    return GpuMemory(free.value, total.value)


def flat_bytes(count: int, dim: int, form: GpuForm) -> int:
    """GPU memory for exact search, scratch included."""
    per_number = 2 if form is GpuForm.FLOAT16 else 4
    return count * (dim * per_number + _NORM_BYTES) + GPU_TEMP_BYTES


def form_that_fits(index: Any, free_bytes: int) -> GpuForm:
    """The best form of a CPU index that the GPU can hold; raises RuntimeUnavailableError if none fits."""
    needs = _needs(index)
    budget = int(BUDGET_SHARE * free_bytes)
    for form, n_bytes in needs.items():
        if n_bytes <= budget:
            return form
    smaller = "" if GpuForm.LISTS in needs else "build the index again with --index ivf, "
    raise RuntimeUnavailableError(
        f"the index needs {min(needs.values()) / 1e9:.1f} GB on the GPU, where {free_bytes / 1e9:.1f} GB are free "
        f"and {budget / 1e9:.1f} GB may be taken; {smaller}free memory there (a running service frees its former index "
        "when it is restarted), or use --device cpu"
    )


def load_on_gpu(index: Any, free_bytes: int) -> LoadedOnGpu:
    """Copy a CPU index to the first visible GPU, in the best form that fits."""
    form = form_that_fits(index, free_bytes)
    resources = faiss.StandardGpuResources()
    resources.setTempMemory(GPU_TEMP_BYTES)
    resources.setPinnedMemory(GPU_PINNED_BYTES)
    if form is GpuForm.FLOAT16:
        return LoadedOnGpu(_half_flat(index, resources), resources, HALF_ROUNDING)
    options = faiss.GpuClonerOptions()
    options.use_cuvs = False
    max_k = GPU_MAX_K_LISTS if form is GpuForm.LISTS else GPU_MAX_K
    return LoadedOnGpu(faiss.index_cpu_to_gpu(resources, 0, index, options), resources, max_k=max_k)


def _half_flat(index: Any, resources: Any) -> Any:
    """Not by index_cpu_to_gpu: that copies all vectors as float32 first, which is what does not fit. add() pages."""
    config = faiss.GpuIndexFlatConfig()
    config.useFloat16 = True
    config.use_cuvs = False
    on_gpu = faiss.GpuIndexFlatL2(resources, index.d, config)
    on_gpu.add(faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d))
    return on_gpu


def _needs(index: Any) -> dict[GpuForm, int]:
    """Bytes of every form that this index can take, the best first."""
    count, dim = int(index.ntotal), int(index.d)
    if isinstance(index, faiss.IndexIVF):
        # Lists are padded to whole groups of 32 vectors, and each is an allocation of its own.
        lists = int(_IVF_OVERHEAD * count * (index.code_size + _ID_BYTES)) + index.nlist * (dim + 1) * 4
        return {GpuForm.LISTS: lists + GPU_TEMP_BYTES}
    return {form: flat_bytes(count, dim, form) for form in (GpuForm.FLOAT32, GpuForm.FLOAT16)}


def _call(driver: Any, name: str, *arguments: Any) -> None:
    if code := getattr(driver, name)(*arguments):
        raise RuntimeUnavailableError(f"the NVIDIA driver does not tell how much memory is free: {name}, error {code}")
