"""The torch runtime: CUDA for the GPU service, the CPU for parity tests and training's evaluation.

On CUDA every batch size in BATCH_SIZES is captured once as a graph. A batch is padded to the next of them, copied
from pinned memory, and replayed: no Python and no kernel launches between the layers, no memory allocated later.
The CUDA path is untested on machines without an NVIDIA GPU.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from emotion.arrays import PixelBatch
from emotion.bundle import Bundle
from emotion.cuda import cuda_failure
from emotion.errors import DeviceLostError, RuntimeUnavailableError
from emotion.network.net import EmotionNet, Outputs
from emotion.network.taps import Taps
from emotion.runtime import Device, Precision, RawOutputs

BATCH_SIZES: Final = (1, 2, 4, 8, 16)
"""What a batch is padded to; larger ones run in parts."""
_DTYPES: Final = {Precision.FP32: torch.float32, Precision.BF16: torch.bfloat16}
_WARM_UP_RUNS: Final = 3
_BF16_SINCE: Final = (8, 0)
"""Compute capability; before it cuDNN has no bf16 convolutions."""


def cuda_is_available() -> bool:
    """Whether torch sees an NVIDIA GPU."""
    return torch.cuda.is_available()


class TorchRuntime:
    """The bundle's weights in EmotionNet, warm when the constructor returns.

    Args:
        bundle: the model.
        device: CPU or CUDA.
        precision: of the backbone; sentiment vector, head and familiarity stay in float32.

    Raises:
        RuntimeUnavailableError: CUDA is asked for and absent, or the GPU or torch lacks the precision.
        DeviceMemoryError, DeviceLostError: the GPU is there and cannot take the model.
    """

    name = "torch"

    def __init__(self, bundle: Bundle, device: Device = Device.CPU, precision: Precision = Precision.FP32) -> None:
        if precision not in _DTYPES:
            raise RuntimeUnavailableError(f"torch does not run {precision}; use --precision {Precision.BF16}")
        if device is Device.CUDA and not cuda_is_available():
            raise RuntimeUnavailableError("device cuda was asked for, but torch sees no NVIDIA GPU")
        if device is Device.CUDA and precision is Precision.BF16 and torch.cuda.get_device_capability() < _BF16_SINCE:
            raise RuntimeUnavailableError(f"this GPU has no bf16 units; use --precision {Precision.FP32}")
        self.device = device
        self.precision = precision
        self.failure: str | None = None
        self._lock = threading.Lock()
        size_px = bundle.manifest.preprocess.size_px
        with self._watched():
            net = _load(bundle, precision).to(device.value)
            self._executor: _Executor = _Graphs(net, size_px) if device is Device.CUDA else _Eager(net)

    def run(self, pixels: PixelBatch) -> RawOutputs:
        """Everything the network says of prepared pictures.

        Raises:
            DeviceMemoryError: this batch did not fit on the GPU.
            DeviceLostError: the GPU failed, now or earlier.
        """
        with self._lock, self._watched():
            parts = [self._run_padded(pixels[start:end]) for start, end in _parts(len(pixels))]
        present = [[output for output in part if output is not None] for part in parts]
        return RawOutputs(*(np.concatenate(of_parts) for of_parts in zip(*present, strict=True)))

    def _run_padded(self, pixels: PixelBatch) -> RawOutputs:
        n = len(pixels)
        n_padded = next(size for size in BATCH_SIZES if size >= n)
        outputs = self._executor.run(pixels, n_padded)
        return RawOutputs(*(output[:n] for output in outputs if output is not None))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Name a failure of the GPU, and remember it when it is for good."""
        if self.failure is not None:
            raise DeviceLostError(self.failure)
        try:
            # TF32 convolutions would differ from the fp32 that a snapshot was built with.
            with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                yield
        except RuntimeError as error:
            failure = cuda_failure(error) if self.device is Device.CUDA else None
            if failure is None:
                raise
            if isinstance(failure, DeviceLostError):
                self.failure = str(failure)
            raise failure from error


class _Executor(Protocol):
    """Runs a batch, padded to one of the fixed sizes if that helps."""

    def run(self, pixels: PixelBatch, n_padded: int) -> RawOutputs:
        """At least as many rows as pictures."""
        ...


class _ServedNet(nn.Module):
    """EmotionNet with its backbone in `dtype`; the rest costs little and decides the distances."""

    def __init__(self, net: EmotionNet, dtype: torch.dtype) -> None:
        super().__init__()
        self.net = net
        self.dtype = dtype
        net.backbone.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, pixels: Float[Tensor, "b 3 h w"]) -> Outputs:
        views = self.net.views(pixels).to(self.dtype, memory_format=torch.channels_last)
        taps = self.net.backbone(views)
        return self.net.read(Taps([level.float() for level in taps.levels], taps.pooled.float()))


class _Eager:
    """Runs the batch as it is."""

    def __init__(self, net: _ServedNet) -> None:
        self._net = net

    def run(self, pixels: PixelBatch, n_padded: int) -> RawOutputs:  # noqa: ARG002 - padding only costs here
        outputs = self._net(torch.from_numpy(pixels))
        return RawOutputs(*(output.numpy() for output in outputs.present()))


class _Graphs:
    """One captured graph for each batch size; callers come one at a time."""

    def __init__(self, net: _ServedNet, size_px: int) -> None:
        pool = torch.cuda.graph_pool_handle()
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        # The largest first: the others then fit into the memory it left in the pool.
        self._graphs = {n: _Graph(net, (n, 3, size_px, size_px), stream, pool) for n in sorted(BATCH_SIZES)[::-1]}

    def run(self, pixels: PixelBatch, n_padded: int) -> RawOutputs:
        return self._graphs[n_padded].run(pixels)


class _Graph:
    """The network captured for one batch size, with its own buffers on both sides."""

    def __init__(self, net: _ServedNet, shape: Sequence[int], stream: torch.cuda.Stream, pool: Any) -> None:
        self._stream = stream
        self._host_pixels = torch.zeros(tuple(shape), pin_memory=True)
        # Plain NCHW, so that the transfer is one copy; the net reorders to channels_last on the GPU.
        self._pixels = torch.zeros(tuple(shape), device="cuda")
        # cuDNN chooses its kernels and loads them in these runs, which is not allowed while capturing.
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP_RUNS):
                net(self._pixels)
        stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        # thread_local: what another thread does on the GPU meanwhile does not spoil the capture.
        with torch.cuda.graph(self._graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
            self._outputs: list[Tensor] = net(self._pixels).present()
        self._host_outputs = [torch.empty(output.shape, pin_memory=True) for output in self._outputs]

    def run(self, pixels: PixelBatch) -> RawOutputs:
        """Rows of the padding are whatever the former batch left there."""
        self._host_pixels[: len(pixels)].copy_(torch.from_numpy(pixels))
        with torch.cuda.stream(self._stream):
            self._pixels.copy_(self._host_pixels, non_blocking=True)
            self._graph.replay()
            for host, device in zip(self._host_outputs, self._outputs, strict=True):
                host.copy_(device, non_blocking=True)
        self._stream.synchronize()
        return RawOutputs(*(host.numpy().copy() for host in self._host_outputs))


def _load(bundle: Bundle, precision: Precision) -> _ServedNet:
    net = EmotionNet(bundle.manifest.network, len(bundle.manifest.taxonomy.emotions))
    net.load_state_dict({name: tensor.float() for name, tensor in load_file(bundle.weights_path).items()})
    return _ServedNet(net.eval(), _DTYPES[precision])


def _parts(n: int) -> list[tuple[int, int]]:
    largest = BATCH_SIZES[-1]
    return [(start, min(start + largest, n)) for start in range(0, n, largest)]
