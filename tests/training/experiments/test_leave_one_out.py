"""Retrieval among all pictures but the query itself, and rows that name no emotions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion.taxonomy import MIKELS
from study_fakes import NoisyMethod, made_up_folds, made_up_samples, noisy
from training.data.samples import Sample
from training.data.splits import fold_parts
from training.evaluation.evaluate import Scored
from training.evaluation.outcome import ORDER, Outcome
from training.experiments.figures import Figures, Setting
from training.experiments.rows import FoldScores, Row
from training.experiments.runner import run_rows
from training.experiments.store import Store
from training.experiments.table import Study

SAMPLES = made_up_samples()
FOLDS = made_up_folds(SAMPLES)
SETTINGS = (Setting.LEAVE_ONE_OUT, Setting.UNSEEN_GALLERY)
STUDY = Study("study", "A study", "a source", base="named", settings=SETTINGS, source_setting=SETTINGS[0])


@dataclass(frozen=True)
class Nameless:
    """Embeds, and says nothing of emotions."""

    @property
    def settings(self) -> dict[str, Any]:
        return {}

    def score_fold(self, train: Sequence[Sample], test: Sequence[Sample], folder: Path) -> FoldScores:
        def without(scored: Scored) -> Scored:
            return replace(scored, probs=np.full_like(scored.probs, np.nan))

        return FoldScores(*map(without, NoisyMethod(0.6).score_fold(train, test, folder)))


def _average_precision(query: np.ndarray, label: int, others: list[tuple[np.ndarray, int]]) -> float:
    """As the definition reads."""
    order = sorted(others, key=lambda other: float(np.linalg.norm(query - other[0])))
    hits, total = 0, 0.0
    for place, (_, found) in enumerate(order, start=1):
        if found == label:
            hits += 1
            total += hits / place
    return total / hits


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Figures, Path]:
    out = tmp_path_factory.mktemp("out")
    rows = [Row("named", "named", NoisyMethod(0.6)), Row("nameless", "nameless", Nameless())]
    run_rows(STUDY, rows, SAMPLES, MIKELS, FOLDS, out, numbers=[0, 1, 2], resamples=20)
    return Figures(Store(out, SAMPLES, FOLDS), rows, MIKELS, 20, SETTINGS), out


def test_a_query_searches_all_other_pictures_under_its_folds_model(tmp_path: Path, figures: Any) -> None:
    found = []
    for number in range(3):
        train, test = fold_parts(SAMPLES, FOLDS, number)
        scores = NoisyMethod(0.6).score_fold(train, test, tmp_path / str(number))
        rows = np.concatenate([scores.test.embeddings, scores.train.embeddings])
        labels = np.concatenate([scores.test.labels, scores.train.labels]).tolist()
        for query in range(len(test)):
            others = [(rows[row], labels[row]) for row in range(len(rows)) if row != query]
            assert len(others) == len(SAMPLES) - 1
            found.append(_average_precision(rows[query], labels[query], others))
    ours = figures[0].of("named", Setting.LEAVE_ONE_OUT)["mAP8"]
    assert ours.value == pytest.approx(np.mean(found), abs=1e-6)
    assert ours.low < ours.value < ours.high


def test_a_gallery_holds_all_queries_or_none() -> None:
    train, test = fold_parts(SAMPLES, FOLDS, 0)
    with pytest.raises(ValueError, match="all of the queries or none"):
        Outcome([noisy(test, 0.6, 0)], MIKELS, [noisy([*test[:3], *train], 0.6, 1)])


@pytest.mark.parametrize("setting", SETTINGS)
def test_without_probabilities_only_the_embedding_has_figures(figures: Any, setting: Setting) -> None:
    named, nameless = (figures[0].of(key, setting) for key in ("named", "nameless"))
    assert set(named) == set(ORDER)
    assert set(nameless) == {"mAP8", "mAP2", "NN", "P10", "FT", "ST", "DCG", "ANMRR"}
    assert {name: nameless[name] for name in nameless} == {name: named[name] for name in nameless}
    assert set(figures[0].between("named", "nameless", setting)) == set(nameless)


def test_the_table_has_the_settings_of_the_study(figures: Any) -> None:
    text = (figures[1] / "study.md").read_text()
    first, second = text.index("## Leave one out"), text.index("## Unseen gallery")
    assert first < second
    assert "paper's protocol" not in text
    assert "accuracy" in text[first:second], "the class head's figures stand in the first table"
    assert "| accuracy |" not in text[second:]
