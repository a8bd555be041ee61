"""The torch runtime: CUDA for the GPU service, the CPU for parity tests and training's evaluation."""

import threading

import torch
from safetensors.torch import load_file

from emotion.arrays import PixelBatch
from emotion.bundle import Bundle
from emotion.errors import RuntimeUnavailableError
from emotion.network.net import EmotionNet
from emotion.runtime import Device, Precision, RawOutputs


def cuda_is_available() -> bool:
    """Whether torch sees an NVIDIA GPU."""
    return torch.cuda.is_available()


class TorchRuntime:
    """The bundle's weights in EmotionNet; raises RuntimeUnavailableError when CUDA is asked for and absent."""

    name = "torch"
    precision = Precision.FP32

    def __init__(self, bundle: Bundle, device: Device = Device.CPU) -> None:
        if device is Device.CUDA and not cuda_is_available():
            raise RuntimeUnavailableError("device cuda was asked for, but torch sees no NVIDIA GPU")
        self.device = device
        net = EmotionNet(bundle.manifest.network, len(bundle.manifest.taxonomy.emotions))
        weights = {name: tensor.float() for name, tensor in load_file(bundle.weights_path).items()}
        net.load_state_dict(weights)
        self._net = net.to(device.value).eval()
        self._lock = threading.Lock()

    @torch.inference_mode()
    def run(self, pixels: PixelBatch) -> RawOutputs:
        """Embeddings and logits of prepared pictures."""
        # TF32 convolutions would differ from the fp32 that the snapshot was built with.
        with self._lock, torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            outputs = self._net(torch.from_numpy(pixels).to(self.device.value))
        return RawOutputs(outputs.embedding.float().cpu().numpy(), outputs.logits.float().cpu().numpy())
