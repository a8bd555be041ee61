"""A trained network to a bundle: fp16 weights and an ONNX graph that computes the same numbers."""

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor, nn

from emotion.bundle import ONNX_NAME, WEIGHTS_NAME, Bundle, write_bundle
from emotion.network.net import EmotionNet, Outputs

OPSET = 18
LIBRARIES = ("torch", "timm", "onnx")


def export_bundle(path: Path, net: EmotionNet, size_px: int, **fields: Any) -> Bundle:
    """Write a bundle; `fields` are those of BundleManifest.

    The weights are rounded to fp16 first and the graph is made from the rounded ones, so both files agree.
    """
    rounded = _rounded_copy(net)

    def write_files(folder: Path) -> None:
        save_file(to_storage(rounded.state_dict()), folder / WEIGHTS_NAME)
        (folder / WEIGHTS_NAME).chmod(0o644)
        write_onnx(rounded, size_px, folder / ONNX_NAME)

    return write_bundle(path, write_files, network=net.spec, **fields)


def to_storage(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Kernels and matrices as fp16; biases and batch-norm statistics, small in size and wide in range, as fp32."""
    return {name: (t.half() if t.ndim > 1 else t).contiguous().cpu() for name, t in state.items()}


def library_versions() -> dict[str, str]:
    """What the model was made with."""
    return {name: version(name) for name in LIBRARIES}


def write_onnx(net: EmotionNet, size_px: int, path: Path) -> None:
    """Export input `pixels` (b 3 s s) to outputs `embedding` (b d), `logits` (b c) and, where the net measures it,
    `unfamiliarity` (b); any batch size.
    """
    example = torch.zeros(2, 3, size_px, size_px)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals, nothing a user can act on
        torch.onnx.export(
            _Present(net),
            (example,),
            path,
            dynamo=True,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=["embedding", "logits", "unfamiliarity"][: 3 if net.familiarity else 2],
            dynamic_shapes=({0: torch.export.Dim("b", min=1)},),
            external_data=False,
            verbose=False,
        )
    _strip_traces(path)


class _Present(nn.Module):
    """The exporter takes no None for an output."""

    def __init__(self, net: EmotionNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: Float[Tensor, "b 3 s s"]) -> list[Tensor]:
        outputs: Outputs = self.net(pixels)
        return outputs.present()


def _strip_traces(path: Path) -> None:
    """Take out the exporter's notes: they name the exporting machine's files and differ from run to run."""
    model = onnx.load(path)
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    onnx.save(model, path)


def _rounded_copy(net: EmotionNet) -> EmotionNet:
    rounded = EmotionNet(net.spec, net.head.out_features)
    rounded.load_state_dict({name: t.float() for name, t in to_storage(net.state_dict()).items()})
    return rounded.eval()
