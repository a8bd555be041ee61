"""Cross-validation of a recipe: saved folds, a bundle for each, both retrieval settings; resumable fold by fold."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emotion.console import say
from emotion.errors import ConfigError
from training.assess import open_judge
from training.config import TrainingConfig
from training.data.samples import Sample
from training.data.splits import Folds
from training.evaluation.calibration import calibrate
from training.evaluation.evaluate import Evaluation, evaluate, score
from training.evaluation.fold_report import write_fold_report
from training.evaluation.out_of_fold import PREDICTIONS, SUMMARY, fold_folder, read_run, save_predictions
from training.run import data_digest, fit

RESULT = "result.json"


def cross_validate(
    config: TrainingConfig,
    samples: Sequence[Sample],
    folds: Folds,
    out: Path,
    *,
    data_name: str,
    only: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Fit on all folds but one, test on that one, for each fold (or those in `only`).

    A fold whose result.json is there is not run again. Returns and writes `out`/crossval.json: per fold and, over
    the folds, mean and standard deviation of every figure in both settings, and the head's calibration. Writes
    `out`/report.html over all test pictures.
    """
    numbers = sorted({folds[sample.digest] for sample in samples}) if only is None else list(only)
    results = [_fold(config, samples, folds, number, fold_folder(out, number), data_name) for number in numbers]
    summary = {"config": config.model_dump(mode="json"), "folds": results, "mean": _reduce(results, np.mean)}
    summary["calibration"] = _calibration(config, out, numbers)
    summary["sd"] = _reduce(results, lambda values: np.std(values, ddof=1) if len(values) > 1 else 0.0)
    (out / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n")
    run = read_run(out, {sample.digest: sample for sample in samples})
    write_fold_report(out / "report.html", run, data_name=data_name)
    return summary


def _fold(
    config: TrainingConfig, samples: Sequence[Sample], folds: Folds, number: int, run: Path, data_name: str
) -> dict[str, Any]:
    train = [sample for sample in samples if folds[sample.digest] != number]
    test = [sample for sample in samples if folds[sample.digest] == number]
    digest = data_digest(train, test)
    result_path = run / RESULT
    if result_path.is_file():
        say(f"fold {number}: already done ({result_path})")
        result: dict[str, Any] = json.loads(result_path.read_text())
        if (result["config"], result["data"]) != (config.model_dump(mode="json"), digest):
            raise ConfigError(f"{result_path} is of another configuration or other pictures; choose another --out")
        return result
    bundle, _, _ = fit(config, train, run, data_name=f"{data_name}, without fold {number}", resume=True)
    predictor = open_judge(bundle, config.loop.device)
    queries, gallery = score(predictor, test, "test fold"), score(predictor, train, "training folds")
    taxonomy = predictor.taxonomy
    unseen, paper = evaluate(queries, taxonomy), evaluate(queries, taxonomy, gallery)
    save_predictions(run / PREDICTIONS, queries)
    result = {
        "fold": number,
        "config": config.model_dump(mode="json"),
        "data": digest,
        "unseen_gallery": unseen.figures(),
        "paper_protocol": paper.figures(),
        "confusion": unseen.classification.confusion.tolist(),
    }
    result_path.write_text(json.dumps(result, indent=1) + "\n")
    (run / "checkpoint.pt").unlink(missing_ok=True)
    say(f"fold {number}: {_headline(unseen)}")
    return result


def _calibration(config: TrainingConfig, out: Path, numbers: Sequence[int]) -> dict[str, float]:
    """Over the test pictures of all folds; `temperature` is the one to put into the recipe."""
    saved = [np.load(fold_folder(out, number) / PREDICTIONS) for number in numbers]
    found = calibrate(
        np.concatenate([fold["probs"] for fold in saved]),
        np.concatenate([fold["labels"] for fold in saved]),
        np.concatenate([np.full(len(fold["labels"]), n) for n, fold in zip(numbers, saved, strict=True)]),
    )
    figures = found._asdict() | {"temperature": found.temperature * config.temperature}
    return {name: round(value, 5) for name, value in figures.items()}


def _headline(e: Evaluation) -> str:
    f = e.figures()
    names = ("accuracy", "accuracy_polarity", "mAP8", "NN", "P10", "mAP2", "prob_mAP8")
    return "  ".join(f"{name} {f[name]:.3f}" for name in names if f.get(name) is not None)


def _reduce(results: Sequence[dict[str, Any]], reduce: Any) -> dict[str, dict[str, float]]:
    reduced: dict[str, dict[str, float]] = {}
    for setting in ("unseen_gallery", "paper_protocol"):
        names = [name for name, value in results[0][setting].items() if isinstance(value, float)]
        reduced[setting] = {
            name: round(float(reduce([result[setting][name] for result in results])), 5) for name in names
        }
    return reduced
