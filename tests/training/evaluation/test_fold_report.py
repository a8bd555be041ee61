"""The report of a cross-validation, from predictions on disk and painted pictures."""

import html
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from crossval_fakes import write_run
from emotion.taxonomy import MIKELS, Emotion, Taxonomy
from fakes import write_gallery
from training.data.samples import Sample
from training.evaluation.fold_report import COLUMNS, fold_rows, write_fold_report
from training.evaluation.out_of_fold import CrossvalRun, evaluate_folds, read_run

PLAIN = Taxonomy(name="plain", emotions=tuple(Emotion(name=f"e{i}") for i in range(8)))


def _run(tmp_path: Path, taxonomy: Taxonomy = MIKELS, n_folds: int = 2) -> CrossvalRun:
    out = write_run(tmp_path / "cv", taxonomy=taxonomy, n_folds=n_folds)
    digests = [(s.digest, s.label) for fold in read_run(out).folds for s in fold.scored.samples]
    paths = write_gallery(tmp_path / "photos", len(digests))
    samples = {d: Sample(path, label, d) for path, (d, label) in zip(paths, digests, strict=True)}
    return read_run(out, samples)


def _page(tmp_path: Path, run: CrossvalRun, *, intervals: bool = False) -> str:
    write_fold_report(tmp_path / "report.html", run, data_name="painted", intervals=intervals)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_holds_all_folds_and_needs_no_other_address(tmp_path: Path) -> None:
    run = _run(tmp_path)
    text = _page(tmp_path, run, intervals=True)
    assert "cross-validation report" in text
    assert "each of 47 pictures was predicted by the model that was trained on the other folds" in text
    assert text.count('class="plot map"') == 2
    assert len(re.findall(r'<use href="#m-', text)) == 47
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    thumbnails = re.search(r'id="thumbnails">(.*?)</script>', text, re.DOTALL)
    assert thumbnails is not None
    assert set(json.loads(thumbnails[1])) == set(re.findall(r'data-t="(\d+)"', text)) == {str(n) for n in range(47)}
    assert not re.search(r"https?://|@import|url\(", text)
    assert text == _page(tmp_path, run, intervals=True)


def test_the_numbers_are_the_pooled_evaluations(tmp_path: Path) -> None:
    run = _run(tmp_path)
    text = _page(tmp_path, run)
    each, pooled = evaluate_folds(run)
    figures = re.search(r"<pre>(.*?)</pre>", text, re.DOTALL)
    assert figures is not None
    assert json.loads(html.unescape(figures[1])) == pooled.figures()
    table = re.search(r'<table class="classes folds">(.*?)</table>', text, re.DOTALL)
    assert table is not None
    rows = re.findall(r"<tr[^>]*><th[^>]*>(.*?)</th>(.*?)</tr>", table[1])
    assert [name for name, _ in rows[-4:]] == ["fold 0", "fold 1", "mean", "sd"]
    cells = [re.findall(r"<td>(.*?)</td>", row) for _, row in rows[-4:]]
    assert [row[0] for row in cells] == ["24", "23", "", ""]
    expected = [evaluation.figures()["accuracy"] for evaluation in each]
    shown = [*expected, np.mean(expected), np.std(expected, ddof=1)]
    assert [row[1] for row in cells] == [f"{value:.3f}" for value in shown]


def test_neighbours_are_of_the_same_fold(tmp_path: Path) -> None:
    run = _run(tmp_path)
    shown = re.findall(r'class="distance">([\d.]+)<', _page(tmp_path, run))
    within = {
        f"{math.dist(a, b):.3f}"
        for fold in run.folds
        for i, a in enumerate(fold.scored.embeddings)
        for j, b in enumerate(fold.scored.embeddings)
        if i != j
    }
    assert shown
    assert set(shown) <= within


def test_one_fold_and_a_label_set_without_polarity_still_give_a_page(tmp_path: Path) -> None:
    run = _run(tmp_path, PLAIN, n_folds=1)
    text = _page(tmp_path, run, intervals=True)
    assert "</html>" in text
    (evaluation, *_), _ = evaluate_folds(run)
    rows = fold_rows(["fold 0"], [evaluation])
    place = [key for key, _ in COLUMNS].index("accuracy_polarity")
    assert [row.values[place] for row in rows] == [None, None, None]
    assert rows[1].values[0] == pytest.approx(evaluation.classification.accuracy, abs=1e-5)
    assert rows[2].values[0] is None
