"""Reading what `crossval` left, and pooling its folds."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from crossval_fakes import scored_fold, write_run
from emotion.errors import DataError
from emotion.taxonomy import MIKELS
from training.data.samples import Sample
from training.evaluation.classification import macro_f1
from training.evaluation.evaluate import evaluate, join_scored
from training.evaluation.out_of_fold import CrossvalRun, evaluate_folds, read_run
from training.evaluation.ranking import join, ranking
from training.evaluation.retrieval import MEANS, pool, retrieval_metrics


def test_what_was_written_is_read(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "cv"))
    assert [fold.number for fold in run.folds] == [0, 1]
    assert [len(fold.scored.labels) for fold in run.folds] == [24, 23]
    expected = scored_fold([*range(8)] * 3, MIKELS, "fold0", 0.5, 0)
    np.testing.assert_array_equal(run.folds[0].scored.embeddings, expected.embeddings)
    assert run.folds[0].scored.samples == expected.samples
    assert run.taxonomy == MIKELS


def test_paths_come_from_the_samples_given(tmp_path: Path) -> None:
    known = Sample(tmp_path / "a.jpg", 0, "fold0-000")
    run = read_run(write_run(tmp_path / "cv"), {known.digest: known})
    assert run.folds[0].scored.samples[0] is known
    assert run.folds[0].scored.samples[1].path == Path("fold0-001")


@pytest.mark.parametrize("damage", ["nothing", "no summary", "not JSON", "no predictions", "no folds"])
def test_a_folder_that_is_no_finished_run_is_refused(tmp_path: Path, damage: str) -> None:
    out = tmp_path / "cv"
    if damage != "nothing":
        write_run(out)
    match damage:
        case "no summary":
            (out / "crossval.json").unlink()
        case "not JSON":
            (out / "crossval.json").write_text("{")
        case "no predictions":
            (out / "fold1" / "test.npz").unlink()
        case "no folds":
            (out / "crossval.json").write_text(json.dumps({"folds": []}))
    with pytest.raises(DataError, match="not the finished output"):
        read_run(out)


def _slow_mean_ap(run: CrossvalRun) -> float:
    """The definition, written slowly: each query ranks its own fold, then the mean over all queries."""
    found = []
    for _, scored in run.folds:
        for q, label in enumerate(scored.labels):
            others = [i for i in range(len(scored.labels)) if i != q]
            others.sort(key=lambda i: float(np.linalg.norm(scored.embeddings[i] - scored.embeddings[q])))
            hits = [int(scored.labels[i] == label) for i in others]
            precisions = [sum(hits[: k + 1]) / (k + 1) for k, hit in enumerate(hits) if hit]
            found.append(np.mean(precisions))
    return float(np.mean(found))


def test_pooled_retrieval_stays_within_the_folds(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "cv", n_folds=3))
    each, pooled = evaluate_folds(run)
    assert pooled.sv.by_emotion.mean_ap == pytest.approx(_slow_mean_ap(run), abs=1e-9)
    everywhere = evaluate(join_scored([fold.scored for fold in run.folds]), MIKELS)
    assert pooled.sv.by_emotion.mean_ap != pytest.approx(everywhere.sv.by_emotion.mean_ap, abs=1e-4)
    assert pooled.classification.confusion.sum() == sum(len(fold.scored.labels) for fold in run.folds)
    assert pooled.classification.accuracy == pytest.approx(everywhere.classification.accuracy)
    assert len(each) == 3


def test_pooling_weighs_by_queries_and_skips_what_was_not_measured() -> None:
    one = retrieval_metrics(np.array([[True, False], [False, True]]))
    two = retrieval_metrics(np.array([[False, True]]))
    nothing = retrieval_metrics(np.zeros((3, 2), dtype=bool))
    pooled = pool([one, nothing, two])
    assert pooled.n_queries == 3
    assert pooled.mean_ap == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert pooled.nn == pytest.approx(1 / 3)
    assert np.isnan(pool([nothing]).mean_ap)


def test_joined_rankings_keep_each_folds_lists(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "cv"))
    alone = [ranking(fold.scored, None, MIKELS, "embeddings") for fold in run.folds]
    joined = join(alone)
    assert joined.searched.tolist() == [23] * 24 + [22] * 23
    assert (joined.top[:24] < 24).all()
    assert (joined.top[24:] >= 24).all()
    for one, part in zip(alone, joined.parts(joined.by_emotion), strict=True):
        np.testing.assert_array_equal(part, one.by_emotion)
    n = [int(one.by_emotion.any(axis=1).sum()) for one in alone]
    expected = np.average([one.chance() for one in alone], weights=n)
    assert joined.chance() == pytest.approx(expected)
    _, pooled = evaluate_folds(run)
    for name in MEANS:
        parts = [retrieval_metrics(part) for part in joined.parts(joined.by_emotion)]
        assert getattr(pool(parts), name) == pytest.approx(getattr(pooled.sv.by_emotion, name))


@pytest.mark.parametrize(("labels", "named"), [([0, 0, 1], [0, 1, 1]), ([2, 2], [0, 1]), ([3], [3]), ([0, 4], [4, 4])])
def test_macro_f1_is_scikit_learns(labels: list[int], named: list[int]) -> None:
    expected = f1_score(labels, named, average="macro", labels=np.unique(labels), zero_division=0)
    assert macro_f1(np.array(labels), np.array(named)) == pytest.approx(expected)
