"""Rows that need no training: noisy answers, less noisy for a better method."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.data.samples import Sample
from training.data.splits import Folds
from training.evaluation.evaluate import Scored
from training.experiments.rows import FoldScores

N_FOLDS = 3


def made_up_samples(n_per_emotion: int = 9) -> list[Sample]:
    """Pictures of eight emotions; there are no files."""
    names = [(label, f"{label}-{place:02d}") for place in range(n_per_emotion) for label in range(8)]
    return [Sample(Path(name), label, name) for label, name in names]


def made_up_folds(samples: Sequence[Sample]) -> Folds:
    """As many of every emotion in each."""
    return {sample.digest: place // 8 % N_FOLDS for place, sample in enumerate(samples)}


def noisy(samples: Sequence[Sample], noise: float, seed: int) -> Scored:
    """One-hot answers and noise; the embedding is the answer itself."""
    labels = np.array([sample.label for sample in samples])
    answers = np.eye(8)[labels] + np.random.default_rng(seed).normal(0, noise, (len(labels), 8))
    probs = np.exp(answers) / np.exp(answers).sum(axis=1, keepdims=True)
    embeddings = answers / np.linalg.norm(answers, axis=1, keepdims=True)
    return Scored(embeddings.astype(np.float32), probs.astype(np.float32), labels, tuple(samples))


@dataclass(frozen=True)
class NoisyMethod:
    """Counts its runs in `runs`, leaves a checkpoint and a bundle as a training does."""

    noise: float
    seed: int = 0
    runs: list[Path] = field(default_factory=list, compare=False)
    failure: BaseException | None = None

    @property
    def settings(self) -> dict[str, Any]:
        return {"noise": self.noise, "seed": self.seed, "crop": (1, 2)}

    def score_fold(self, train: Sequence[Sample], test: Sequence[Sample], folder: Path) -> FoldScores:
        if self.failure is not None:
            raise self.failure
        self.runs.append(folder)
        (folder / "bundle").mkdir(parents=True)
        (folder / "bundle" / "weights").write_text("many")
        (folder / "checkpoint.pt").write_text("many")
        return FoldScores(noisy(test, self.noise, self.seed), noisy(train, self.noise, self.seed + 1))
