"""The multi-label study's settings beside plain cross entropy, resumable row by row and seed by seed.

Source: Choi, Lee and Ryu, "From image to emotion", tables 1 and 2. What a test picture gets is kept for each row and
seed, so that means and intervals are over what is done, and nothing done is done again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32

from emotion.console import say
from emotion.errors import ConfigError
from emotion.taxonomy import Taxonomy
from index.durable import write_atomic
from training.data.multi_label import MultiLabelSample, Parts, label_matrix, load_or_make_parts, undersampled
from training.evaluation.multi_label import MultiLabelAnswers, best_thresholds, figures
from training.experiments.multi_label_rows import BASE, PRIOR, MultiLabelRow, rows
from training.experiments.multi_label_table import as_markdown, chance_row, measured_row, untrained_row
from training.multi_label.bundle import answers_of, training_labels
from training.multi_label.features import FrozenBackbone, cached_features
from training.multi_label.learn import Recipe, apply, learn
from training.records import read_json, write_json

NAME: Final = "multilabel"
RESULT: Final = "result.json"
"""Of a row with a seed; says that it is done."""
QUICK_SEEDS: Final = (0,)
FULL_SEEDS: Final = (0, 1, 2, 3, 4)


class Pictures(NamedTuple):
    """What every row learns from and is judged on."""

    features: Float32[np.ndarray, "n f"]
    labels: Bool[np.ndarray, "n c"]
    parts: Parts
    digest: str
    """Of backbone, pictures, labels and split: a done row counts only under the same."""


def run(
    samples: Sequence[MultiLabelSample],
    taxonomy: Taxonomy,
    backbone: FrozenBackbone,
    out: Path,
    seeds: Sequence[int],
    *,
    table: Sequence[MultiLabelRow] | None = None,
    device: torch.device | None = None,
) -> str:
    """Run what is not done yet; returns the Markdown that `out`/multilabel.md holds, beside `out`/multilabel.json.

    Both are written anew after every row.

    Raises ConfigError where `out` holds rows of other settings or pictures.
    """
    table = rows() if table is None else table
    pictures = _pictures(samples, taxonomy, backbone, out, device or torch.device("cpu"))
    cells = [(row, seed, out / "rows" / row.key / f"seed{seed}") for row in table for seed in seeds]
    waiting = [cell for cell in cells if not _is_done(cell[2], _settings(*cell[:2], pictures))]
    if len(waiting) < len(cells):
        say(f"{len(cells) - len(waiting)} of {len(cells)} rows and seeds are done already in {out / 'rows'}")
    for done, (row, seed, folder) in enumerate(waiting):
        say(f"{row.title}, seed {seed}: {len(waiting) - done} to do")
        answers = _learn_and_answer(row.recipe.model_copy(update={"seed": seed}), pictures)
        _save(folder, answers, _settings(row, seed, pictures))
        if done + 1 == len(waiting) or waiting[done + 1][0] is not row:
            _write(table, seeds, pictures, taxonomy, out)
    return _write(table, seeds, pictures, taxonomy, out)


def wanted_seeds(text: str | None, *, full: bool) -> tuple[int, ...]:
    """The seeds of `--seeds 0,1,2`, else those of the setting; raises ConfigError for what is no list of numbers."""
    if text is None:
        return FULL_SEEDS if full else QUICK_SEEDS
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts) or len(set(map(int, parts))) < len(parts):
        raise ConfigError(f"--seeds takes different numbers such as 0,1,2, not {text!r}")
    return tuple(int(part) for part in parts)


def _pictures(
    samples: Sequence[MultiLabelSample], taxonomy: Taxonomy, backbone: FrozenBackbone, out: Path, device: torch.device
) -> Pictures:
    parts = load_or_make_parts(out / "split.json", samples)
    features = cached_features(backbone, samples, out / "features", device)
    content = [
        backbone.digest,
        taxonomy.names,
        sorted((sample.digest, sample.labels) for sample in samples),
        [sorted(samples[row].digest for row in part) for part in parts],
    ]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return Pictures(features, label_matrix(samples, len(taxonomy.names)), parts, f"{backbone.name} {digest}")


def _settings(row: MultiLabelRow, seed: int, pictures: Pictures) -> dict[str, Any]:
    recipe = row.recipe.model_copy(update={"seed": seed})
    return {"recipe": recipe.model_dump(mode="json"), "pictures": pictures.digest}


def _learn_and_answer(recipe: Recipe, pictures: Pictures) -> MultiLabelAnswers:
    features, labels, parts, _ = pictures
    layers = learn(recipe, features[parts.train], training_labels(recipe, labels[parts.train]))
    validated = apply(layers, features[parts.validation])
    thresholds = best_thresholds(validated.probs, labels[parts.validation])
    return answers_of(apply(layers, features[parts.test]), thresholds, labels[parts.test])


def _is_done(folder: Path, settings: Mapping[str, Any]) -> bool:
    file = folder / RESULT
    if not file.is_file():
        return False
    if read_json(file, "settings", "figures")["settings"] != settings:
        raise ConfigError(f"{folder} is of other settings or pictures, and is kept; take another --out")
    return True


def _save(folder: Path, answers: MultiLabelAnswers, settings: Mapping[str, Any]) -> None:
    """The file that says that it is done last."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "answers.npz").open("wb") as stream:
        np.savez(stream, probs=answers.probs, thresholds=answers.thresholds, jaccard=answers.jaccard)
    write_json(folder / RESULT, {"settings": settings, "figures": figures(answers)})


def _load(folder: Path, labels: Bool[np.ndarray, "n c"]) -> MultiLabelAnswers:
    with np.load(folder / "answers.npz", allow_pickle=False) as kept:
        return MultiLabelAnswers(kept["probs"], kept["thresholds"], labels, kept["jaccard"])


def _done_runs(folder: Path, seeds: Sequence[int], labels: Bool[np.ndarray, "n c"]) -> dict[int, MultiLabelAnswers]:
    folders = {seed: folder / f"seed{seed}" for seed in seeds}
    return {seed: _load(kept, labels) for seed, kept in folders.items() if (kept / RESULT).is_file()}


def _write(
    table: Sequence[MultiLabelRow], seeds: Sequence[int], pictures: Pictures, taxonomy: Taxonomy, out: Path
) -> str:
    test = pictures.labels[pictures.parts.test]
    runs = {row.key: _done_runs(out / "rows" / row.key, seeds, test) for row in table}
    content = {
        "taxonomy": taxonomy.name,
        "backbone": pictures.digest.partition(" ")[0],
        "n_pictures": len(pictures.labels),
        "n_test": len(test),
        "labels_per_picture": float(pictures.labels.sum(axis=1).mean()),
        "counts": dict(zip(taxonomy.names, pictures.labels.sum(axis=0).tolist(), strict=True)),
        "thinned": _thinned(pictures, taxonomy),
        "seeds": list(seeds),
        "rows": [
            chance_row(test),
            untrained_row(pictures.features[pictures.parts.test], test),
            *(measured_row(row, runs[row.key], runs.get(BASE, {})) for row in table),
        ],
        "prior": PRIOR,
    }
    write_json(out / f"{NAME}.json", content)
    text = as_markdown(content)
    write_atomic(out / f"{NAME}.md", text.encode())
    return text


def _thinned(pictures: Pictures, taxonomy: Taxonomy) -> list[str]:
    """Labels of the training part that undersampling takes off some pictures."""
    labels = pictures.labels[pictures.parts.train]
    fewer = undersampled(labels, np.random.default_rng(0)).sum(axis=0) < labels.sum(axis=0)
    return [name for name, is_thinned in zip(taxonomy.names, fewer, strict=True) if is_thinned]
