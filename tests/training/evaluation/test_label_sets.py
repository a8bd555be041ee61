"""Figures and report of a label set without two sides: what would be about polarity is not there at all."""

import re
from pathlib import Path

import numpy as np
import pytest

from emotion.taxonomy import MIKELS, Taxonomy
from fakes import tiny_bundle, write_gallery
from training.data.samples import Sample
from training.evaluation.evaluate import POLARITY_FIGURES, Scored, evaluate
from training.evaluation.report import write_report

PLAIN = Taxonomy.model_validate({"name": "plain", "emotions": ["calm", "tense", "dull"]})
ONE_SIDED = Taxonomy.model_validate(
    {"name": "sunny", "emotions": [{"name": name, "polarity": "positive"} for name in ("joy", "awe", "fun")]}
)


def scored(folder: Path, taxonomy: Taxonomy) -> Scored:
    labels = [0, 0, 1, 1, 2, 2]
    paths = write_gallery(folder, len(labels), tuple(taxonomy.names[label] for label in labels))
    rng = np.random.default_rng(0)
    logits = 2 * np.eye(len(taxonomy.names))[labels] + rng.normal(0, 1, (len(labels), len(taxonomy.names)))
    probs = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    samples = tuple(Sample(path, label, f"{i}") for i, (path, label) in enumerate(zip(paths, labels, strict=True)))
    embeddings = logits / np.linalg.norm(logits, axis=1, keepdims=True)
    return Scored(embeddings.astype(np.float32), probs, np.array(labels), samples)


@pytest.mark.parametrize("taxonomy", [PLAIN, ONE_SIDED], ids=lambda taxonomy: taxonomy.name)
def test_no_figure_and_no_word_about_polarity(tmp_path: Path, taxonomy: Taxonomy) -> None:
    queries = scored(tmp_path / "a", taxonomy)
    evaluation = evaluate(queries, taxonomy)
    assert not POLARITY_FIGURES & set(evaluation.figures())
    assert not any("polarity" in name.lower() or name.endswith("mAP2") for name in evaluation.figures())
    write_report(
        tmp_path / "report.html",
        bundle_manifest=tiny_bundle(tmp_path / "bundle", taxonomy=taxonomy).manifest,
        evaluation=evaluation,
        queries=queries,
        gallery=None,
        data_name="painted",
    )
    text = (tmp_path / "report.html").read_text()
    seen = re.sub(r"(?s)<script.*?</script>|<style.*?</style>", "", text)
    assert not re.search(r"(?i)polarit|mAP2", seen)
    assert f"<b>{evaluation.classification.ece:.3f}</b>" in seen


def test_with_two_sides_the_figures_are_there(tmp_path: Path) -> None:
    assert set(evaluate(scored(tmp_path / "a", MIKELS), MIKELS).figures()) >= POLARITY_FIGURES
