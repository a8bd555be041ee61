"""The multi-label study's settings beside plain cross entropy, resumable row by row and seed by seed.

Source: Choi, Lee and Ryu, "From image to emotion", tables 1 and 2. What a test picture gets is kept for each row and
seed, so that means and intervals are over what is done, and nothing done is done again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from training.evaluation.intervals import Estimate
from training.evaluation.multi_label import (
    FIGURES,
    MultiLabelAnswers,
    best_thresholds,
    figures,
    mean_estimates,
    nearest_jaccard,
)
from training.multi_label.bundle import answers_of, training_labels
from training.multi_label.features import FrozenBackbone, cached_features
from training.multi_label.learn import Recipe, apply, learn
from training.multi_label.method import Method
from training.records import read_json, write_json

NAME: Final = "multilabel"
RESULT: Final = "result.json"
"""Of a row with a seed; says that it is done."""
QUICK_SEEDS: Final = (0,)
FULL_SEEDS: Final = (0, 1, 2, 3, 4)
SOURCE: Final = "Choi, Lee and Ryu: 30,340 advertisements with 30 sentiments, ResNet-50; judged on 10 % of them"
PRIOR: Final = {"Pilli et al. 2020": {"mAP": 0.233, "f1": 0.399}, "GCN 2019": {"mAP": 0.332, "f1": 0.470}}
"""As the study's table 2 quotes them; their F1 is "overall"."""
TITLES: Final = {
    "mAP": "mAP",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "exact_match": "exact match",
    "jaccard10": "likeness of the 10 nearest",
}


@dataclass(frozen=True)
class MultiLabelRow:
    """A row of the table."""

    key: str
    """Its folder."""
    title: str
    recipe: Recipe
    """Of seed 0."""
    source: Mapping[str, float] = field(default_factory=dict)
    """What the study reports; it does not say for which of its two ways to count labels."""


class Pictures(NamedTuple):
    """What every row learns from and is judged on."""

    features: Float32[np.ndarray, "n f"]
    labels: Bool[np.ndarray, "n c"]
    parts: Parts
    digest: str
    """Of features, labels and split: a done row counts only under the same."""


def rows() -> list[MultiLabelRow]:
    """Plain cross entropy and the study's four experiments, each with all labels and with the frequent ones thinned."""
    studied = (
        (1, 10, 1.0, 0.271, 0.179),
        (2, 10, 2.0, 0.273, 0.176),
        (3, 20, 1.0, 0.252, 0.175),
        (4, 20, 2.0, 0.257, 0.177),
    )
    plain = MultiLabelRow("bce", "cross entropy, end to end", Recipe(method=Method.BCE, epochs=20))
    found = [plain] + [
        MultiLabelRow(
            f"experiment{number}",
            f"experiment {number}: {epochs} epochs, margin {margin:g}",
            Recipe(epochs=epochs, margin=margin),
            {"mAP": mean_ap, "macro_f1": f1},
        )
        for number, epochs, margin, mean_ap, f1 in studied
    ]
    return [way for row in found for way in (row, _undersampled(row))]


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


def as_markdown(content: Mapping[str, Any]) -> str:
    """The table for people, from the content of multilabel.json."""
    heads = [TITLES[name] for name in FIGURES]
    lines = [
        f"# Several labels a picture: {content['n_pictures']} pictures, label set {content['taxonomy']}",
        "",
        f"{content['labels_per_picture']:.2f} labels a picture; {content['n_test']} test pictures. Backbone: "
        f"{content['backbone']}, frozen. Mean over seeds {content['seeds']} with the 95 % interval over the test "
        "pictures, and the deviation over the seeds where there are several. Thresholds are chosen on the validation "
        "part. The likeness is the mean Jaccard index of a test picture's labels and those of its 10 nearest among "
        "the others.",
        "",
        f"| row | {' | '.join(heads)} | study: mAP | study: macro F1 |",
        "|---" * (len(heads) + 3) + "|",
    ]
    for row in content["rows"]:
        cells = [_cell(row["figures"].get(name)) for name in FIGURES]
        if row.get("seeds_done") == 0:
            cells[0] = "not done yet"
        source = [f"{row['source'][name]:.3f}" if name in row["source"] else "" for name in ("mAP", "macro_f1")]
        lines.append(f"| {row['title']} | {' | '.join([*cells, *source])} |")
    thinned = ", ".join(content["thinned"]) or "none here, so that the rows come in equal pairs"
    lines += [
        "",
        f"Labels that stand above twice the mean count and are thinned out where it says undersampled: {thinned}.",
    ]
    prior = "; ".join(f"{name}: mAP {f['mAP']:.3f}, F1 (overall) {f['f1']:.3f}" for name, f in PRIOR.items())
    return "\n".join([*lines, "", f"The study's figures: {SOURCE}. It quotes {prior}.", ""])


def _undersampled(row: MultiLabelRow) -> MultiLabelRow:
    recipe = row.recipe.model_copy(update={"undersample": True})
    return MultiLabelRow(f"{row.key}-undersampled", f"{row.title}; undersampled", recipe, row.source)


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


def _write(
    table: Sequence[MultiLabelRow], seeds: Sequence[int], pictures: Pictures, taxonomy: Taxonomy, out: Path
) -> str:
    test = pictures.labels[pictures.parts.test]
    content = {
        "taxonomy": taxonomy.name,
        "backbone": pictures.digest.partition(" ")[0],
        "n_pictures": len(pictures.labels),
        "n_test": len(test),
        "labels_per_picture": float(pictures.labels.sum(axis=1).mean()),
        "counts": dict(zip(taxonomy.names, pictures.labels.sum(axis=0).tolist(), strict=True)),
        "thinned": _thinned(pictures, taxonomy),
        "seeds": list(seeds),
        "rows": [_untrained(pictures), *(_measured(row, seeds, test, out) for row in table)],
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


def _untrained(pictures: Pictures) -> dict[str, Any]:
    """What the search finds by the backbone's own features."""
    features = pictures.features[pictures.parts.test]
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    normalised = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    labels = pictures.labels[pictures.parts.test]
    nothing = np.zeros(labels.shape, dtype=np.float32)
    answers = MultiLabelAnswers(nothing, np.ones(labels.shape[1]), labels, nearest_jaccard(normalised, labels))
    found = mean_estimates([answers])["jaccard10"]
    return {"key": "untrained", "title": "untrained features", "source": {}, "figures": {"jaccard10": _as_json(found)}}


def _measured(row: MultiLabelRow, seeds: Sequence[int], test: Bool[np.ndarray, "n c"], out: Path) -> dict[str, Any]:
    recipe = row.recipe.model_dump(mode="json", exclude={"seed"})
    known = {"key": row.key, "title": row.title, "source": dict(row.source), "recipe": recipe}
    folders = [out / "rows" / row.key / f"seed{seed}" for seed in seeds]
    runs = [_load(folder, test) for folder in folders if (folder / RESULT).is_file()]
    if not runs:
        return known | {"seeds_done": 0, "figures": {}}
    single = np.array([list(figures(run).values()) for run in runs])
    deviations = single.std(axis=0, ddof=1) if len(runs) > 1 else np.full(len(FIGURES), np.nan)
    found = mean_estimates(runs)
    measured = {name: _as_json(found[name], sd) for name, sd in zip(FIGURES, deviations, strict=True)}
    return known | {"seeds_done": len(runs), "figures": measured}


def _as_json(estimate: Estimate, sd: float = float("nan")) -> dict[str, float | None]:
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "sd": None if np.isnan(sd) else float(sd),
    }


def _cell(figure: Mapping[str, float | None] | None) -> str:
    if figure is None:
        return ""
    deviation = "" if figure["sd"] is None else f" ± {figure['sd']:.3f}"
    return f"{figure['value']:.3f}{deviation} [{figure['low']:.3f}, {figure['high']:.3f}]"
