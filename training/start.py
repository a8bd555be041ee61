"""Weights that a training goes on from: those of a bundle, in place of ImageNet's."""

from collections.abc import Collection

import torch
from safetensors.torch import load_file
from torch import Tensor

from emotion.bundle import Bundle, load_bundle
from emotion.errors import BundleError, ConfigError
from emotion.network.net import EmotionNet
from training.config import Init, NetworkConfig
from training.data.samples import Sample
from training.inherited import start_manifest

EMBEDDING = ("sentiment_vector", "fc")
"""The embedding's part of EmotionNet, by name; a net has one of them."""


def open_start(network: NetworkConfig) -> Bundle | None:
    """The bundle at network.start, verified but for its weights; None without one.

    Raises ConfigError where it is missing, or is not the one that the configuration was completed with.
    """
    if network.start is None:
        return None
    return Bundle(network.start.expanduser(), start_manifest(network.start, network.start_model_id))


@torch.no_grad()
def load_start(net: EmotionNet, bundle: Bundle, network: NetworkConfig) -> None:
    """Put the bundle's weights, which it keeps in fp16, into the backbone and, with `init = bundle`, into the rest.

    Raises ConfigError where a file is damaged or does not fit.
    """
    try:
        stored = load_file(load_bundle(bundle.path).weights_path)
    except BundleError as error:
        raise ConfigError(f"network.start: {error}") from error
    own = net.state_dict()
    wanted = [name for name in own if _comes_from_bundle(name, network)]
    if unfit := [name for name in wanted if name not in stored or stored[name].shape != own[name].shape]:
        raise ConfigError(
            f"network.start: {bundle.path} does not fit this network; the first that differs: {unfit[0]} "
            f"({_shape(own[unfit[0]])}, there {_shape(stored.get(unfit[0]))})"
        )
    for name in wanted:
        own[name].copy_(stored[name])


def n_known(bundle: Bundle | None, samples: Collection[Sample]) -> int:
    """How many of these pictures the bundle was trained on."""
    known = set() if bundle is None else set(bundle.manifest.training_hashes)
    return sum(sample.digest in known for sample in samples)


def _comes_from_bundle(name: str, network: NetworkConfig) -> bool:
    part = name.partition(".")[0]
    if part in EMBEDDING:
        return network.sv_init is Init.BUNDLE
    return part == "backbone" or network.head_init is Init.BUNDLE


def _shape(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else str(tuple(tensor.shape))
