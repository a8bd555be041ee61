import pytest

from emotion.cuda import cuda_failure
from emotion.errors import DeviceLostError, DeviceMemoryError

# Beginnings of the texts that torch and FAISS raise with.
TORCH_MEMORY = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.11 GiB"
FAISS_MEMORY = (
    "Error in virtual void* faiss::gpu::StandardGpuResourcesImpl::allocMemory(const faiss::gpu::AllocRequest&): "
    "StandardGpuResources: alloc fail: type IVFLists size 1048576 bytes (cudaMalloc error out of memory [2])"
)
CUBLAS_MEMORY = "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
TORCH_LOST = "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be asynchronously reported"
FAISS_LOST = (
    "Error in faiss::gpu::... Faiss assertion 'err == cudaSuccess' failed: CUDA error 700 an illegal memory access"
)


@pytest.mark.parametrize("text", [TORCH_MEMORY, FAISS_MEMORY, CUBLAS_MEMORY])
def test_a_failed_allocation_may_go_better_next_time(text):
    assert isinstance(cuda_failure(RuntimeError(text)), DeviceMemoryError)


@pytest.mark.parametrize("text", [TORCH_LOST, FAISS_LOST, "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"])
def test_any_other_cuda_error_is_for_good(text):
    failure = cuda_failure(RuntimeError(text))
    assert isinstance(failure, DeviceLostError)
    assert text.splitlines()[0] in str(failure)
    assert "restart" in str(failure)


def test_a_gpu_without_code_for_it_is_not_told_to_restart():
    failure = cuda_failure(RuntimeError("CUDA error: no kernel image is available for execution on the device"))
    assert isinstance(failure, DeviceLostError)
    assert "restart" not in str(failure)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"),
        RuntimeError(""),
        ValueError("CUDA error"),
    ],
)
def test_what_is_not_about_a_gpu_is_left_alone(error):
    assert cuda_failure(error) is None
