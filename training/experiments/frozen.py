"""Features of a network as ImageNet left it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from emotion.console import progress
from emotion.network.backbone import build_backbone
from emotion.network.imagenet import load_imagenet_weights
from emotion.network.taps import Backbone
from training.config import TrainingConfig
from training.data.loader import single_pass_loader
from training.data.samples import Sample
from training.data.views import FixedViews, View
from training.experiments.feature_svm import Describe
from training.experiments.weights import named_weights
from training.run import pick_device

BATCH_SIZE = 32


@dataclass(frozen=True)
class FrozenFeatures:
    """The pooled last map of a backbone that is not trained.

    Of the configuration count the backbone, its weights and the preprocessing; and the seed, for a backbone that has
    no ImageNet weights.
    """

    config: TrainingConfig

    @property
    def settings(self) -> dict[str, Any]:
        """JSON of all that decides the numbers, besides the pictures."""
        network = self.config.network
        return {
            "kind": "frozen",
            "backbone": network.backbone,
            "deepest": network.sentiment_vector.deepest.value,
            "weights": named_weights(network.weights),
            "seed": None if network.pretrained else self.config.seed,
            "preprocess": self.config.preprocess.model_dump(mode="json"),
        }

    def fit(self, train: Sequence[Sample]) -> Describe:
        """Nothing is learned; raises ConfigError where the weights are not at hand or do not fit."""
        del train
        return partial(self._rows, self.backbone())

    def backbone(self) -> Backbone:
        """The network, ready to be read."""
        network = self.config.network
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.config.seed)
            backbone = build_backbone(network.spec())
        if network.pretrained:
            load_imagenet_weights(backbone, network.backbone, network.weights)
        return backbone.eval().to(pick_device(self.config.loop.device))

    @torch.inference_mode()
    def _rows(self, backbone: Backbone, samples: Sequence[Sample]) -> Float32[np.ndarray, "n f"]:
        device = pick_device(self.config.loop.device)
        data = FixedViews(samples, [View(self.config.preprocess)])
        rows = []
        with progress(self.config.network.backbone, len(samples), "pictures") as advance:
            for (pixels,), _ in single_pass_loader(data, BATCH_SIZE, self.config.data.n_workers, device):
                rows.append(backbone(pixels.to(device)).pooled.float().cpu().numpy())
                advance(len(pixels))
        return np.concatenate(rows)
