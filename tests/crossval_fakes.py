"""A finished cross-validation without a training: random answers, better or worse, as `crossval` leaves them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emotion.taxonomy import MIKELS, Taxonomy
from fakes import tiny_bundle
from training.data.samples import Sample
from training.evaluation.evaluate import Scored
from training.evaluation.out_of_fold import fold_folder, save_predictions

PAPER = {"mAP8": 0.75, "NN": 0.625, "prob_mAP8": 0.5}


def scored_fold(labels: Sequence[int], taxonomy: Taxonomy, prefix: str, noise: float, seed: int) -> Scored:
    """Noisy one-hot answers; the embedding is the answer itself."""
    rng = np.random.default_rng(seed)
    answers = np.eye(len(taxonomy.emotions))[list(labels)] + rng.normal(0, noise, (len(labels), len(taxonomy.emotions)))
    probs = np.exp(answers) / np.exp(answers).sum(axis=1, keepdims=True)
    embeddings = answers / np.linalg.norm(answers, axis=1, keepdims=True)
    digests = [f"{prefix}-{place:03d}" for place in range(len(labels))]
    samples = tuple(Sample(Path(name), label, name) for name, label in zip(digests, labels, strict=True))
    return Scored(embeddings.astype(np.float32), probs.astype(np.float32), np.array(labels), samples)


def write_run(
    out: Path,
    *,
    n_folds: int = 2,
    labels: Sequence[int] = tuple(range(8)) * 3,
    noise: float = 0.5,
    seed: int = 0,
    taxonomy: Taxonomy = MIKELS,
    config: dict[str, Any] | None = None,
) -> Path:
    """Write the run; another seed predicts the same pictures differently, and the last fold lacks one picture."""
    numbers = range(n_folds)
    for number in numbers:
        folder = fold_folder(out, number)
        tiny_bundle(folder / "bundle", f"{seed}-{number}", taxonomy=taxonomy)
        mine = labels[:-1] if number == n_folds - 1 else labels
        scored = scored_fold(mine, taxonomy, f"fold{number}", noise, 100 * seed + number)
        save_predictions(folder / "test.npz", scored)
    zeros = dict.fromkeys(PAPER, 0.125)
    summary = {
        "config": {"name": out.name, "seed": 0} | (config or {}),
        "folds": [{"fold": number} for number in numbers],
        "mean": {"unseen_gallery": PAPER, "paper_protocol": PAPER},
        "sd": {"unseen_gallery": zeros, "paper_protocol": zeros},
    }
    (out / "crossval.json").write_text(json.dumps(summary))
    return out
