"""What a user chooses a backbone by: licence, input size, taps, parameters and, on request, speed on this CPU."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from emotion.bundle import Provenance
from emotion.network.backbone import build_backbone, extra_backbone
from emotion.network.imagenet import default_preprocess, weights_source
from emotion.network.net import EmotionNet
from emotion.network.spec import LITE0, LITE1, LITE2, ExtraBackbone, NetworkSpec
from emotion.network.taps import Level
from emotion.network.timm_backbone import timm_config
from emotion.runtime import Device, open_runtime
from emotion.taxonomy import MIKELS
from training.export import export_bundle

DOCUMENTED = (
    LITE0,
    LITE1,
    LITE2,
    "googlenet_bvlc",
    "googlenet",
    "alexnet",
    "vgg16",
    "resnet18",
    "resnet50",
    "densenet121",
    "mobilenetv3_large_100",
    "efficientnet_b0",
    "convnext_tiny",
    "swin_tiny_patch4_window7_224",
    "vit_small_patch16_224",
)
"""One of each kind; any other of timm's works the same way."""
BATCH_SIZE, N_BATCHES = 8, 5


@dataclass(frozen=True)
class NetworkFacts:
    """One row of the table."""

    name: str
    licence: str
    """Of the published weights."""
    input_px: int
    fixed_size: bool
    """Whether it takes no other input size."""
    levels: tuple[Level, ...]
    n_features: int
    parameters_m: float
    """Millions, without an ImageNet classifier."""
    weights: str
    ms_per_image: float | None = None


def describe(name: str, *, timed: bool = False) -> NetworkFacts:
    """The facts of a network by name; nothing is computed unless `timed`. Raises ConfigError for an unknown one."""
    spec, preprocess = NetworkSpec(backbone=name), default_preprocess(name)
    with torch.device("meta"):
        backbone = build_backbone(spec)
    return NetworkFacts(
        name=name,
        licence=_licence(name),
        input_px=preprocess.size_px,
        fixed_size=backbone.fixed_size_px is not None,
        levels=backbone.levels,
        n_features=backbone.n_features,
        parameters_m=round(sum(p.numel() for p in backbone.parameters()) / 1e6, 1),
        weights=weights_source(name),
        ms_per_image=_ms_per_image(spec, preprocess.size_px) if timed else None,
    )


def as_json(facts: Sequence[NetworkFacts]) -> list[dict[str, Any]]:
    """One object a network; each level as name, channels, stride."""
    return [asdict(row) | {"levels": [level._asdict() for level in row.levels]} for row in facts]


def as_table(facts: Sequence[NetworkFacts]) -> str:
    """Columns for people, in Markdown."""
    columns = ["network", "licence", "input", "taps: channels/stride", "parameters"]
    timed = any(row.ms_per_image is not None for row in facts)
    rows = [[*columns, "ms/image"] if timed else columns]
    for row in facts:
        taps = ", ".join(f"{level.name} {level.channels}/{level.stride}" for level in row.levels)
        rows.append([row.name, row.licence, f"{row.input_px}", taps, f"{row.parameters_m:.1f} M"])
        if timed:
            rows[-1].append("" if row.ms_per_image is None else f"{row.ms_per_image:.1f}")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _licence(name: str) -> str:
    match extra_backbone(name):
        case ExtraBackbone.GOOGLENET_BVLC:
            return "unrestricted"
        case ExtraBackbone.GOOGLENET | ExtraBackbone.ALEXNET:
            return "bsd-3-clause"
        case None:
            return timm_config(name).license or "not stated"


def _ms_per_image(spec: NetworkSpec, size_px: int) -> float:
    """Median over batches of 8 in the CPU service's own runtime; random weights take as long as trained ones."""
    now = Provenance(created=datetime.now(UTC), version="", config={}, data="", n_training_pictures=0)
    pixels = np.random.default_rng(0).normal(size=(BATCH_SIZE, 3, size_px, size_px)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        net = EmotionNet(spec, len(MIKELS.emotions)).eval()
        fields = {"name": "timed", "taxonomy": MIKELS, "preprocess": default_preprocess(spec.backbone)}
        bundle = export_bundle(Path(folder) / "bundle", net, size_px, provenance=now, **fields)
        runtime = open_runtime(bundle, Device.CPU)
        runtime.run(pixels)
        seconds = []
        for _ in range(N_BATCHES):
            start = time.perf_counter()
            runtime.run(pixels)
            seconds.append(time.perf_counter() - start)
    return round(1000 * median(seconds) / BATCH_SIZE, 2)
