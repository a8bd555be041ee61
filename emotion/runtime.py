"""What runs a network: the Protocol, and the choice made once at the entry point."""

from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from emotion.arrays import Embeddings, PixelBatch, ProbabilityRows, Unfamiliarities
from emotion.bundle import Bundle
from emotion.errors import RuntimeUnavailableError

N_STREAMS: Final = 2
"""Two pictures that wait have half of a CPU's cores each; with more streams some would stand idle then."""


class Device(StrEnum):
    """Where inference runs; `auto` takes CUDA when torch and a GPU are there."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Precision(StrEnum):
    """Arithmetic of the network; a gallery and its queries always share one."""

    FP32 = "fp32"
    BF16 = "bf16"
    """Half the bits, float32's range: GoogLeNet's local response norm squares what fp16 could not hold."""
    INT8 = "int8"
    """Convolutions on bytes, the embedding in float32; on the CPU, from a graph that `training quantise` makes."""


class RawOutputs(NamedTuple):
    """Straight from the network."""

    embeddings: Embeddings
    logits: ProbabilityRows
    unfamiliarities: Unfamiliarities | None = None
    """Distances to the training pictures; None where the bundle's network does not measure them."""


class Runtime(Protocol):
    """Runs the network on a batch; safe to call from several threads."""

    name: str
    device: Device
    precision: Precision
    failure: str | None
    """Why it can run no more; None while it can."""

    def run(self, pixels: PixelBatch) -> RawOutputs:
        """Everything the network says of prepared pictures."""
        ...


def open_runtime(
    bundle: Bundle,
    device: Device = Device.AUTO,
    precision: Precision = Precision.FP32,
    *,
    n_threads: int | None = None,
    n_streams: int = N_STREAMS,
) -> Runtime:
    """The runtime for a device; raises RuntimeUnavailableError when what was asked for is not there.

    Threads and streams are of the CPU's runtime; a GPU runs one batch at a time.
    """
    if device is Device.CUDA or (device is Device.AUTO and _cuda_is_available()):
        return _open_cuda(bundle, precision)
    try:
        from emotion.openvino_runtime import OpenVinoRuntime
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"inference on the CPU needs openvino ({error}); install it: pip install 'feelalike[cpu]'"
        ) from error
    return OpenVinoRuntime(bundle, precision, n_threads=n_threads, n_streams=n_streams)


def _open_cuda(bundle: Bundle, precision: Precision) -> Runtime:
    try:
        from emotion.torch_runtime import TorchRuntime
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"inference on CUDA needs torch ({error}); install it: pip install 'feelalike[gpu]'"
        ) from error
    return TorchRuntime(bundle, Device.CUDA, precision)


def _cuda_is_available() -> bool:
    # Importing torch costs half a gigabyte: without a device node (dxg is WSL's) there is nothing to ask it.
    if not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/dxg").exists():
        return False
    try:
        from emotion.torch_runtime import cuda_is_available
    except ImportError:
        return False
    return cuda_is_available()
