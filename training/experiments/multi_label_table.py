"""What the multi-label study's table holds, and how it reads."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float32

from training.evaluation.intervals import Estimate
from training.evaluation.multi_label import (
    FIGURES,
    MultiLabelAnswers,
    any_jaccard,
    figures,
    mean_differences,
    mean_estimates,
    nearest_jaccard,
)
from training.experiments.multi_label_rows import PRIOR, MultiLabelRow

SOURCE: Final = (
    "Choi, Lee and Ryu: 30,340 advertisements with 30 sentiments, ResNet-50; its table takes the validation part into "
    "account, and its F1 seems to be with thresholds of .5"
)
TITLES: Final = {
    "mAP": "mAP",
    "macro_f1": "macro F1",
    "macro_f1_at_half": "macro F1, thresholds .5",
    "micro_f1": "micro F1",
    "exact_match": "exact match",
    "jaccard10": "likeness of the 10 nearest",
}


def chance_row(labels: Bool[np.ndarray, "n c"]) -> dict[str, Any]:
    """What nobody has to learn for: every picture gets every label, at one probability, and ten others at random."""
    n_labels = labels.shape[1]
    everything = np.ones(labels.shape, dtype=np.float32)
    answers = MultiLabelAnswers(everything, np.zeros(n_labels), labels, any_jaccard(labels))
    found = {name: _as_json(Estimate(value)) for name, value in figures(answers).items()}
    return {"key": "chance", "title": "every label named, any 10", "source": {}, "figures": found}


def untrained_row(features: Float32[np.ndarray, "n f"], labels: Bool[np.ndarray, "n c"]) -> dict[str, Any]:
    """What the search finds by the backbone's own features."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    normalised = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    nothing = np.zeros(labels.shape, dtype=np.float32)
    answers = MultiLabelAnswers(nothing, np.ones(labels.shape[1]), labels, nearest_jaccard(normalised, labels))
    found = mean_estimates([answers])["jaccard10"]
    return {"key": "untrained", "title": "untrained features", "source": {}, "figures": {"jaccard10": _as_json(found)}}


def measured_row(
    row: MultiLabelRow, runs: Mapping[int, MultiLabelAnswers], base: Mapping[int, MultiLabelAnswers]
) -> dict[str, Any]:
    """Means over the seeds that are done, and how they differ from the base row's of the same seeds."""
    recipe = row.recipe.model_dump(mode="json", exclude={"seed"})
    known = {"key": row.key, "title": row.title, "source": dict(row.source), "recipe": recipe, "seeds_done": len(runs)}
    if not runs:
        return known | {"figures": {}}
    single = np.array([list(figures(run).values()) for run in runs.values()])
    deviations = single.std(axis=0, ddof=1) if len(runs) > 1 else np.full(len(FIGURES), np.nan)
    found = mean_estimates(list(runs.values()))
    measured = {name: _as_json(found[name], sd) for name, sd in zip(FIGURES, deviations, strict=True)}
    shared = [seed for seed in runs if seed in base]
    if not shared or all(runs[seed] is base[seed] for seed in shared):
        return known | {"figures": measured}
    differences = mean_differences([runs[seed] for seed in shared], [base[seed] for seed in shared])
    against = {name: _as_json(difference) for name, difference in differences.items()}
    return known | {"figures": measured, "against_cross_entropy": against}


def as_markdown(content: Mapping[str, Any]) -> str:
    """The table for people, from the content of multilabel.json."""
    heads = [*(TITLES[name] for name in FIGURES), "mAP against cross entropy", "study: mAP", "study: macro F1"]
    lines = [
        f"# Several labels a picture: {content['n_pictures']} pictures, label set {content['taxonomy']}",
        "",
        f"{content['labels_per_picture']:.2f} labels a picture; {content['n_test']} test pictures. Backbone: "
        f"{content['backbone']}, frozen. Mean over seeds {content['seeds']} with the 95 % interval over the test "
        "pictures, and the deviation over the seeds where there are several. Thresholds are chosen on the validation "
        "part for the best F1 of each label, but where .5 stands in their place. The likeness is the mean Jaccard "
        "index of a test picture's labels and those of its 10 nearest among the others. Against cross entropy: the "
        "difference from the first such row, over the same resampled pictures; **bold** where its interval leaves "
        "zero out.",
        "",
        f"| row | {' | '.join(heads)} |",
        "|---" * (len(heads) + 1) + "|",
    ]
    for row in content["rows"]:
        cells = [_cell(row["figures"].get(name)) for name in FIGURES]
        if row.get("seeds_done") == 0:
            cells[0] = "not done yet"
        difference = _signed(row.get("against_cross_entropy", {}).get("mAP"))
        source = [f"{row['source'][name]:.3f}" if name in row["source"] else "" for name in ("mAP", "macro_f1")]
        lines.append(f"| {row['title']} | {' | '.join([*cells, difference, *source])} |")
    thinned = ", ".join(content["thinned"]) or "none here, so that the rows come in equal pairs"
    lines += [
        "",
        f"Labels that stand above twice the mean count and are thinned out where it says undersampled: {thinned}.",
    ]
    prior = "; ".join(f"{name}: mAP {f['mAP']:.3f}, F1 (overall) {f['f1']:.3f}" for name, f in PRIOR.items())
    return "\n".join([*lines, "", f"The study's figures: {SOURCE}. It quotes {prior}.", ""])


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
    interval = "" if figure["low"] is None else f" [{figure['low']:.3f}, {figure['high']:.3f}]"
    return f"{figure['value']:.3f}{deviation}{interval}"


def _signed(figure: Mapping[str, float] | None) -> str:
    if figure is None:
        return ""
    text = f"{figure['value']:+.3f} [{figure['low']:+.3f}, {figure['high']:+.3f}]"
    return f"**{text}**" if figure["low"] > 0 or figure["high"] < 0 else text
