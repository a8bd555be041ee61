"""What torch's and FAISS's complaints about a GPU mean: out of memory for one request, or lost for good.

Both raise plain RuntimeErrors that differ in their text alone.
"""

from typing import Final

from emotion.errors import DeviceLostError, DeviceMemoryError

_OUT_OF_MEMORY: Final = (
    "out of memory",
    "cudaerrormemoryallocation",
    "cublas_status_alloc_failed",
    "failed to cudamalloc",
)
_LOST: Final = ("cuda error", "cudaerror", "cudasuccess", "cublas_status", "cudnn_status", "cudnn error", "nccl error")
_TOO_NEW_OR_OLD: Final = "no kernel image is available"


def cuda_failure(error: BaseException) -> DeviceMemoryError | DeviceLostError | None:
    """The error to raise in place of a library's own; None when it is not about a GPU.

    A CUDA error other than a failed allocation stays with the process: every later call fails too.
    """
    if not isinstance(error, RuntimeError | MemoryError):
        return None
    text = str(error)
    reason = text.strip().splitlines()[0] if text.strip() else type(error).__name__
    lowered = text.lower()
    if "cu" in lowered and any(words in lowered for words in _OUT_OF_MEMORY):
        return DeviceMemoryError(f"the GPU is out of memory: {reason}")
    if not any(words in lowered for words in _LOST):
        return None
    if _TOO_NEW_OR_OLD in lowered:
        return DeviceLostError(f"this version of torch or FAISS has no code for this GPU: {reason}")
    return DeviceLostError(f"the GPU failed and this process cannot use it again, restart it: {reason}")
