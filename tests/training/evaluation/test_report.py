import html
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion.bundle import BundleManifest
from emotion.taxonomy import MIKELS, Emotion, Polarity, Taxonomy
from fakes import tiny_bundle, write_gallery
from training.data.samples import Sample
from training.evaluation.calibration import calibrate, rescale
from training.evaluation.classification import expected_calibration_error
from training.evaluation.embedding_map import project
from training.evaluation.evaluate import Evaluation, Scored, evaluate
from training.evaluation.intervals import classification_estimates, per_query, retrieval_estimates
from training.evaluation.palette import display_order, styles
from training.evaluation.ranking import RECALL_LEVELS, precision_at_recall, ranking
from training.evaluation.report import write_report
from training.evaluation.retrieval import MEANS, retrieval_metrics

PLAIN = Taxonomy(name="plain", emotions=(Emotion(name="calm"), Emotion(name="tense"), Emotion(name="neutral")))
SIDED = Taxonomy(
    name="sided",
    emotions=(
        Emotion(name="grim", polarity=Polarity.NEGATIVE),
        Emotion(name="glad", polarity=Polarity.POSITIVE),
        Emotion(name="surprised"),
    ),
)
HISTORY = [
    {"epoch": 0, "loss": 2.0, "classification": 1.5, "embedding": 0.5, "seconds": 1.0, "val_accuracy": None},
    {"epoch": 1, "loss": 1.0, "classification": 0.7, "embedding": 0.3, "seconds": 1.0, "val_accuracy": 0.4},
]


def scored(folder: Path, labels: list[int], taxonomy: Taxonomy = MIKELS, seed: int = 0) -> Scored:
    """Painted pictures with noisy one-hot answers, the noise small enough to be right now and then."""
    rng = np.random.default_rng(seed)
    names = tuple(taxonomy.names[label] for label in labels)
    paths = write_gallery(folder, len(labels), names)
    answers = np.eye(len(taxonomy.emotions))[labels] + rng.normal(0, 0.5, (len(labels), len(taxonomy.emotions)))
    probs = np.exp(answers) / np.exp(answers).sum(axis=1, keepdims=True)
    embeddings = answers / np.linalg.norm(answers, axis=1, keepdims=True)
    samples = tuple(
        Sample(path, label, f"{seed}-{place}") for place, (path, label) in enumerate(zip(paths, labels, strict=True))
    )
    return Scored(embeddings.astype(np.float32), probs.astype(np.float32), np.array(labels), samples)


def manifest(folder: Path, **changes: Any) -> BundleManifest:
    return tiny_bundle(folder / "bundle", **changes).manifest


def page(
    folder: Path,
    queries: Scored,
    taxonomy: Taxonomy = MIKELS,
    gallery: Scored | None = None,
    *,
    intervals: bool = False,
    data_name: str = "painted",
    history: Any = (),
    **changes: Any,
) -> tuple[str, Evaluation]:
    """The report's text, and the evaluation that it shows."""
    evaluation = evaluate(queries, taxonomy, gallery)
    path = folder / "out" / "report.html"
    write_report(
        path,
        bundle_manifest=manifest(folder, taxonomy=taxonomy, **changes),
        evaluation=evaluation,
        queries=queries,
        gallery=gallery,
        data_name=data_name,
        history=history,
        intervals=intervals,
    )
    return path.read_text(encoding="utf-8"), evaluation


def test_the_file_needs_no_other_address_and_repeats_exactly(tmp_path: Path) -> None:
    queries = scored(tmp_path / "a", [0, 1, 2, 3, 4, 5, 6, 7] * 2)
    text, _ = page(tmp_path, queries, intervals=True, history=HISTORY)
    assert not re.search(r"https?://|@import|url\(", text)
    assert all(source.startswith("data:") for source in re.findall(r'\ssrc="([^"]*)"', text))
    assert all(target[0] == "#" or target == "data:," for target in re.findall(r'\shref="([^"]*)"', text))
    assert "default-src 'none'" in text
    assert text == page(tmp_path, queries, intervals=True, history=HISTORY)[0]


def test_the_numbers_are_the_evaluations(tmp_path: Path) -> None:
    text, evaluation = page(tmp_path, scored(tmp_path / "a", [0, 1, 2, 3] * 3))
    c = evaluation.classification
    expected = [c.accuracy, c.accuracy_polarity, c.macro_f1, c.ece]
    sv, probs = evaluation.sv, evaluation.probabilities
    expected += [sv.by_emotion.mean_ap, probs.by_emotion.mean_ap, sv.by_polarity.mean_ap, probs.by_polarity.mean_ap]
    for name in ("nn", "p_at_10", "ft", "st", "dcg", "anmrr"):
        expected += [getattr(sv.by_emotion, name), getattr(probs.by_emotion, name)]
    tiles = re.findall(r'<b title="([^"]+)">([^<]+)</b>', text)
    assert [float(exact) for exact, _ in tiles] == pytest.approx(expected, nan_ok=True)
    assert [shown for _, shown in tiles] == [f"{value:.3f}" for value in expected]
    figures = re.search(r"<pre>(.*?)</pre>", text, re.DOTALL)
    assert figures is not None
    assert json.loads(html.unescape(figures[1])) == evaluation.figures()


def test_confusion_cells_say_their_counts(tmp_path: Path) -> None:
    queries = scored(tmp_path / "a", [0, 0, 0, 1, 1, 6])
    text, evaluation = page(tmp_path, queries)
    said = re.findall(r'title="(\w+) named (\w+): (\d+) of (\d+)', text)
    assert len(said) == 64
    for true, named, count, total in said:
        row = evaluation.classification.confusion[MIKELS.index(true)]
        assert (row[MIKELS.index(named)], row.sum()) == (int(count), int(total))


def test_intervals_contain_the_point_estimate(tmp_path: Path) -> None:
    queries = scored(tmp_path, [0, 1, 2, 4, 5] * 4)
    evaluation = evaluate(queries, MIKELS)
    relevant = ranking(queries, None, MIKELS, "embeddings").by_emotion
    rng = np.random.default_rng(0)
    found = retrieval_estimates(evaluation.sv.by_emotion, [relevant], rng)
    found |= classification_estimates(evaluation.classification, queries, MIKELS, rng)
    for name, estimate in found.items():
        assert estimate.low is not None, name
        assert estimate.high is not None, name
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1, name
        assert estimate.high > estimate.low, name


def test_the_queries_shares_average_to_the_metrics() -> None:
    """Uneven NG, so that ANMRR's common cut matters; a query without relevant pictures is left out of both."""
    rng = np.random.default_rng(3)
    relevant = rng.random((20, 30)) < np.linspace(0.05, 0.7, 20)[:, None]
    relevant[4] = False
    metrics = retrieval_metrics(relevant)
    expected = [getattr(metrics, name) for name in MEANS]
    np.testing.assert_allclose(per_query(relevant).mean(axis=0), expected)


def test_precision_at_recall_by_hand() -> None:
    relevant = np.array([[True, False, True, False], [False, False, False, False]])
    expected = np.where(RECALL_LEVELS <= 0.5, 1.0, 2 / 3)
    np.testing.assert_allclose(precision_at_recall(relevant), expected)
    assert np.isnan(precision_at_recall(relevant[1:])).all()


@pytest.mark.parametrize(
    ("taxonomy", "labels"),
    [
        pytest.param(MIKELS, [0, 1] * 3, id="two classes of three pictures"),
        pytest.param(MIKELS, [2], id="one query"),
        pytest.param(MIKELS, [0, 1, 2, 3], id="nothing relevant"),
        pytest.param(PLAIN, [0, 1, 2] * 2, id="neither wheel nor polarity"),
        pytest.param(SIDED, [0, 1, 2, 2], id="one emotion without a side"),
        pytest.param(SIDED, [2, 2, 2], id="no picture with a side"),
    ],
)
def test_small_and_odd_data_still_give_a_page(tmp_path: Path, taxonomy: Taxonomy, labels: list[int]) -> None:
    text, evaluation = page(tmp_path, scored(tmp_path / "a", labels, taxonomy), taxonomy, intervals=True)
    assert "</html>" in text
    assert not re.search(r">\s*nan\s*<|nan%|[\"\s,]nan[,\"\s](?!>)", re.sub(r'title="nan"', "", text))
    figures = evaluation.figures()
    unknown = figures.get("accuracy_polarity", 0) is None or figures["mAP8"] is None
    assert not unknown or "–</b>" in text
    assert f"mAP{len(taxonomy.emotions)}" in text


def test_a_gallery_is_searched_and_overlaps_are_told(tmp_path: Path) -> None:
    queries, gallery = scored(tmp_path / "a", [0, 1, 0]), scored(tmp_path / "b", [0, 1] * 4, seed=1)
    text, _ = page(tmp_path, queries, gallery=gallery, training_hashes=("0-1", "1-0", "1-1"))
    assert "each of 3 pictures searches 8" in text
    assert "1 of the 3 queries were trained on" in text
    assert "2 of the 8 gallery pictures were trained on" in text
    text, _ = page(tmp_path, queries, gallery=queries)
    assert "3 of the queries are in the gallery too" in text
    assert "does not list its training pictures" in text


def test_neighbours_carry_their_distance(tmp_path: Path) -> None:
    queries = scored(tmp_path / "a", [0, 0, 1, 1])
    text, _ = page(tmp_path, queries)
    shown = re.findall(r'class="distance">([\d.]+)<', text)
    e = queries.embeddings
    pairs = {f"{math.dist(e[i], e[j]):.3f}" for i in range(4) for j in range(4) if i != j}
    assert len(shown) in (6, 9, 12), "three for each query; one query an emotion where best and worst are the same"
    assert set(shown) <= pairs


def test_an_unreadable_picture_becomes_a_placeholder(tmp_path: Path) -> None:
    queries = scored(tmp_path / "a", [0, 0, 1, 1])
    queries.samples[0].path.write_bytes(b"no picture")
    queries.samples[1].path.unlink()
    text, _ = page(tmp_path, queries)
    assert "cannot be read" in text
    thumbnails = re.search(r'id="thumbnails">(.*?)</script>', text, re.DOTALL)
    assert thumbnails is not None
    assert [uri is None for uri in json.loads(thumbnails[1]).values()] == [True, True, False, False]


def test_names_are_escaped(tmp_path: Path) -> None:
    rude = "<script>alert('x')</script>&"
    taxonomy = Taxonomy(name=rude, emotions=(Emotion(name="<b>awe</b>"), Emotion(name='fear"')))
    plain = Taxonomy(name="same", emotions=(Emotion(name="awe"), Emotion(name="fear")))
    queries = scored(tmp_path / "a", [0, 1, 0, 1], plain)
    path = queries.samples[0].path
    odd = path.rename(path.with_name("<i>&'.png"))
    samples = (Sample(odd, 0, "0-0"), *queries.samples[1:])
    queries = Scored(queries.embeddings, queries.probs, queries.labels, samples)
    text, _ = page(tmp_path, queries, taxonomy, data_name=rude, name=rude, terms=rude)
    for raw in (rude, "<b>awe", 'fear">', "<i>&"):
        assert raw not in text
    assert text.count("&lt;script&gt;alert(") >= 4
    assert text.count("<script") == 2


def test_training_curves_only_with_a_history(tmp_path: Path) -> None:
    queries = scored(tmp_path / "a", [0, 1] * 3)
    assert 'id="training"' not in page(tmp_path, queries)[0]
    text, _ = page(tmp_path, queries, history=HISTORY)
    assert "Training loss by epoch: total ends at 1.000" in text
    assert "Validation by epoch: accuracy ends at 0.400" in text


def test_map_fits_its_square_even_when_all_pictures_are_one() -> None:
    rng = np.random.default_rng(0)
    for embeddings in (rng.normal(size=(15, 8)), np.ones((15, 8)), rng.normal(size=(3, 8)), np.ones((1, 8))):
        flat, _ = project(embeddings.astype(np.float32))
        assert flat.shape == (len(embeddings), 2)
        assert ((flat >= 0) & (flat <= 1)).all()


def test_reliability_is_shown_before_and_after_a_temperature(tmp_path: Path) -> None:
    queries = scored(tmp_path / "a", [0, 1, 2, 3] * 5)
    text, evaluation = page(tmp_path, queries, temperature=2.0)
    found = calibrate(queries.probs, queries.labels, np.arange(20) % 5)
    for ece in (evaluation.classification.ece, found.ece_scaled):
        assert f"expected calibration error {ece:.3f}" in text
    plain = expected_calibration_error(rescale(queries.probs, 0.5), queries.labels)
    assert f"Temperature 2.000 (without it ECE {plain:.3f})" in text
    assert f"{2 * found.temperature:.3f} over all" in text


def test_order_and_colours() -> None:
    assert MIKELS.wheel is not None
    assert [MIKELS.names[i] for i in display_order(MIKELS)] == list(MIKELS.wheel)
    assert [SIDED.names[i] for i in display_order(SIDED)] == ["glad", "grim", "surprised"]
    for taxonomy in (MIKELS, SIDED, PLAIN):
        looks = styles(taxonomy)
        assert len({look.light for look in looks}) == len({look.dark for look in looks}) == len(looks)
        for side in {look.side for look in looks}:
            markers = [look.marker for look in looks if look.side == side]
            assert len(set(markers)) == min(len(markers), 4)


def test_a_file_name_that_is_no_text_does_not_cost_the_report(tmp_path):
    queries = scored(tmp_path / "photos", [0, 0, 1, 1])
    path = queries.samples[0].path.with_name("caf\udce9.png")  # the byte E9, as old archives unpack to
    queries.samples[0].path.rename(path)
    odd = replace(queries, samples=(replace(queries.samples[0], path=path), *queries.samples[1:]))
    text, _ = page(tmp_path, odd)
    assert r"caf\udce9.png" in text
