"""A row that is trained: any recipe, judged through Predictor as it would be served."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.assess import open_judge
from training.config import TrainingConfig
from training.data.samples import Sample
from training.evaluation.evaluate import score
from training.experiments.rows import FoldScores, Row
from training.experiments.weights import named_weights
from training.run import fit


@dataclass(frozen=True)
class TrainedMethod:
    """A recipe; goes on from the checkpoint in its folder."""

    config: TrainingConfig
    searched: tuple[Sample, ...] = ()
    """Pictures that are neither trained on nor asked about, and searched with the training folds."""

    @property
    def settings(self) -> dict[str, Any]:
        """The whole configuration, ImageNet weights by their content."""
        config = self.config.model_dump(mode="json")
        config["network"]["weights"] = named_weights(self.config.network.weights)
        settings = {"method": "trained", "config": config}
        return settings | ({"searched": sorted(s.digest for s in self.searched)} if self.searched else {})

    def score_fold(self, train: Sequence[Sample], test: Sequence[Sample], folder: Path) -> FoldScores:
        """Fit on `train`, judge both parts; leaves `folder`/bundle."""
        bundle, _, _ = fit(self.config, train, folder, data_name=self.config.name, resume=True)
        predictor = open_judge(bundle, self.config.loop.device)
        gallery = [*train, *self.searched]
        return FoldScores(score(predictor, test, "test fold"), score(predictor, gallery, "training folds"))


def with_seeds(config: TrainingConfig, n_seeds: int) -> list[TrainedMethod]:
    """The recipe with its own seed and the ones after it."""
    return [TrainedMethod(config.model_copy(update={"seed": config.seed + more})) for more in range(n_seeds)]


def config_of(row: Row) -> TrainingConfig:
    """The recipe of a trained row; raises TypeError of another one."""
    if not isinstance(row.method, TrainedMethod):
        raise TypeError(f"{row.title} is not trained")
    return row.method.config
