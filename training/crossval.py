"""Cross-validation of a recipe: saved folds, a bundle for each, both retrieval settings; resumable fold by fold."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emotion.console import say
from emotion.errors import ConfigError
from training.assess import leave_out_training_pictures, open_judge
from training.config import TrainingConfig
from training.data.samples import Sample
from training.data.splits import Folds, fold_parts
from training.evaluation.calibration import calibrate
from training.evaluation.evaluate import Evaluation, evaluate, score
from training.evaluation.fold_report import write_fold_report
from training.evaluation.out_of_fold import (
    PREDICTIONS,
    RESULT,
    SUMMARY,
    fold_folder,
    read_fold,
    read_run,
    save_predictions,
)
from training.records import read_json, write_json
from training.run import data_digest, fit
from training.start import open_start

SETTINGS = ("unseen_gallery", "paper_protocol")
"""What a query searches: its own fold; its own fold and the training pictures."""


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

    A fold whose result.json is there is not run again, and counts though `only` leaves it out. Returns and writes
    `out`/crossval.json: per fold and, over the folds, mean and standard deviation of every figure in both settings, and
    the head's calibration. Writes `out`/report.html over the test pictures of these folds.

    Pictures that trained a bundle to start from are left out, and said: no fold could test them.

    Raises:
        ConfigError: a fold in `only` was done with another configuration or on other pictures.
        DataError: a file of a done fold is damaged; says which one to delete.
    """
    if (origin := open_start(config.network)) is not None:
        samples = leave_out_training_pictures(origin, samples, "name others, or start from another bundle")
    everything = sorted({folds[sample.digest] for sample in samples})
    for number in everything if only is None else sorted(set(only)):
        _fold(config, samples, folds, number, fold_folder(out, number), data_name)
    results = _done(config, samples, folds, out, everything)
    summary = {"config": config.model_dump(mode="json"), "folds": results, "mean": _reduce(results, np.mean)}
    summary["calibration"] = _calibration(config, out, [result["fold"] for result in results])
    summary["sd"] = _reduce(results, lambda values: np.std(values, ddof=1) if len(values) > 1 else 0.0)
    write_json(out / SUMMARY, summary)
    run = read_run(out, {sample.digest: sample for sample in samples})
    write_fold_report(out / "report.html", run, data_name=data_name)
    return summary


def _fold(
    config: TrainingConfig, samples: Sequence[Sample], folds: Folds, number: int, run: Path, data_name: str
) -> None:
    """Train and judge one fold, unless it is done."""
    train, test = fold_parts(samples, folds, number)
    result_path = run / RESULT
    if result_path.is_file():
        say(f"fold {number}: already done ({result_path})")
        if not _is_of(_read_result(result_path), config, train, test):
            raise ConfigError(f"{result_path} is of another configuration or other pictures; choose another --out")
        return
    bundle, _, _ = fit(config, train, run, data_name=f"{data_name}, without fold {number}", resume=True)
    predictor = open_judge(bundle, config.loop.device)
    queries, gallery = score(predictor, test, "test fold"), score(predictor, train, "training folds")
    taxonomy = predictor.taxonomy
    unseen, paper = evaluate(queries, taxonomy), evaluate(queries, taxonomy, gallery)
    save_predictions(run / PREDICTIONS, queries)
    result = {
        "fold": number,
        "config": config.model_dump(mode="json"),
        "data": data_digest(train, test),
        "unseen_gallery": unseen.figures(),
        "paper_protocol": paper.figures(),
        "confusion": unseen.classification.confusion.tolist(),
    }
    write_json(result_path, result)
    (run / "checkpoint.pt").unlink(missing_ok=True)
    say(f"fold {number}: {_headline(unseen)}")


def _done(
    config: TrainingConfig, samples: Sequence[Sample], folds: Folds, out: Path, numbers: Sequence[int]
) -> list[dict[str, Any]]:
    """The results that are there of this configuration on these pictures; says which are of others."""
    results = []
    for number in numbers:
        path = fold_folder(out, number) / RESULT
        if path.is_file():
            result = _read_result(path)
            if _is_of(result, config, *fold_parts(samples, folds, number)):
                results.append(result)
            else:
                say(f"fold {number}: {path} is of another configuration or other pictures and is left out")
    return results


def _read_result(path: Path) -> dict[str, Any]:
    return read_json(path, "fold", "config", "data", *SETTINGS)


def _is_of(result: dict[str, Any], config: TrainingConfig, train: Sequence[Sample], test: Sequence[Sample]) -> bool:
    return (result["config"], result["data"]) == (config.model_dump(mode="json"), data_digest(train, test))


def _calibration(config: TrainingConfig, out: Path, numbers: Sequence[int]) -> dict[str, float]:
    """Over the test pictures of all folds; `temperature` is the one to put into the recipe."""
    done = [read_fold(out, number) for number in numbers]
    found = calibrate(
        np.concatenate([fold.scored.probs for fold in done]),
        np.concatenate([fold.scored.labels for fold in done]),
        np.concatenate([np.full(len(fold.scored.labels), fold.number) for fold in done]),
    )
    figures = found._asdict() | {"temperature": found.temperature * config.temperature}
    return {name: round(value, 5) for name, value in figures.items()}


def _headline(e: Evaluation) -> str:
    f = e.figures()
    names = ("accuracy", "accuracy_polarity", "mAP8", "NN", "P10", "mAP2", "prob_mAP8")
    return "  ".join(f"{name} {f[name]:.3f}" for name in names if f.get(name) is not None)


def _reduce(results: Sequence[dict[str, Any]], reduce: Callable[[Sequence[float]], Any]) -> dict[str, dict[str, float]]:
    """Over the folds in which a figure could be measured; one that none could measure is left out."""
    reduced: dict[str, dict[str, float]] = {}
    for setting in SETTINGS:
        measured: dict[str, list[float]] = {}
        for result in results:
            for name, value in result[setting].items():
                if isinstance(value, float):
                    measured.setdefault(name, []).append(value)
        reduced[setting] = {name: round(float(reduce(values)), 5) for name, values in measured.items()}
    return reduced
