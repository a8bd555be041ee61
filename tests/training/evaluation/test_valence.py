import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotion.bundle import file_sha256, with_manifest
from emotion.errors import DataError
from emotion.predictor import Predictor
from emotion.taxonomy import MIKELS, Polarity, read_taxonomy
from fakes import FakeRuntime, tiny_bundle, tiny_predictor, write_gallery
from training.data.samples import read_samples
from training.evaluation.valence import measure_valence, valence_figures


def _rate(folder: Path, valences: list[float]) -> Path:
    """Votes that matter to nobody here, beside the valence that does."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".csv")[: len(valences)]
    with (folder / "manifest.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("path", "valence", "arousal", "anger", "joy"))
        table.writerows((path.relative_to(folder), v, 5, 0.5, 0.5) for path, v in zip(paths, valences, strict=True))
    return folder


def test_by_hand():
    figures = valence_figures(np.array([0.1, 0.4, 0.2, 0.9]), np.array([1.0, 5.0, 6.0, 8.0]), 5.0)
    # Ranks 1 3 2 4 against 1 2 3 4: 1 - 6 * 2 / (4 * 15). One low picture, below both high ones.
    assert figures.spearman == pytest.approx(0.8)
    assert figures.auc == 1
    assert figures.low <= figures.spearman <= figures.high


def test_one_side_alone_has_no_auc():
    assert valence_figures(np.array([0.1, 0.4, 0.2]), np.array([6.0, 7.0, 8.0]), 5.0).auc is None


def test_ties_in_the_votes_and_other_labels_do_not_matter(tmp_path):
    write_gallery(tmp_path / "photos", 12)
    predictor = tiny_predictor(tmp_path)
    paths = sorted(path for path in (tmp_path / "photos").rglob("*") if path.suffix != ".csv" and path.is_file())
    probabilities = predictor.predict(paths).probabilities
    positive = probabilities[:, predictor.taxonomy.polarity_codes() == 1].sum(axis=1)
    folder = _rate(tmp_path / "photos", (1 + 8 * positive).tolist())
    figures = measure_valence(predictor, folder)
    assert (figures.pictures, figures.spearman) == (12, pytest.approx(1))


def test_of_several_emotions_the_side_is_as_served(tmp_path):
    write_gallery(tmp_path / "photos", 12)
    thresholds = dict.fromkeys(MIKELS.names, 0.3)
    predictor = Predictor(tiny_bundle(tmp_path / "bundle", thresholds=thresholds), FakeRuntime())
    paths = sorted(path for path in (tmp_path / "photos").rglob("*") if path.suffix != ".csv" and path.is_file())
    sides = MIKELS.polarity_probabilities(predictor.predict(paths).probabilities, several=True)
    folder = _rate(tmp_path / "photos", (1 + 8 * sides[Polarity.POSITIVE]).tolist())
    assert measure_valence(predictor, folder).spearman == pytest.approx(1)


def test_training_pictures_are_left_out_and_unreadable_ones_said(tmp_path, capsys):
    write_gallery(tmp_path / "photos", 8)
    predictor = tiny_predictor(tmp_path)
    samples = read_samples(tmp_path / "photos", predictor.taxonomy).samples
    bundle = with_manifest(predictor.bundle, training_hashes=(samples[0].digest,))
    folder = _rate(tmp_path / "photos", [float(n) for n in range(1, 9)])
    samples[-1].path.write_bytes(b"no picture")
    figures = measure_valence(Predictor(bundle, FakeRuntime()), folder)
    assert figures.pictures == 6
    said = capsys.readouterr().err
    assert "1 of 8 pictures trained this bundle" in said
    assert "1 of 8 pictures cannot be read and are left out, the first: " in said


def test_a_label_set_without_sides_or_data_without_valence_is_refused(tmp_path):
    write_gallery(tmp_path / "photos", 4)
    predictor = tiny_predictor(tmp_path)
    with pytest.raises(DataError, match="0 pictures with a number in a column `valence`"):
        measure_valence(predictor, tmp_path / "photos")
    manifest = predictor.bundle.manifest.model_copy(update={"taxonomy": read_taxonomy("ads-30")})
    with pytest.raises(DataError, match="without polarity"):
        measure_valence(Predictor(replace(predictor.bundle, manifest=manifest), FakeRuntime()), tmp_path / "photos")


def test_a_picture_without_a_rating_or_there_twice_is_not_judged(tmp_path, capsys):
    write_gallery(tmp_path / "photos", 8)
    first, second, *_ = sorted((tmp_path / "photos").rglob("*.png"))
    second.write_bytes(first.read_bytes())
    folder = _rate(tmp_path / "photos", [1.0, 2.0, float("nan"), *map(float, range(4, 9))])
    assert measure_valence(tiny_predictor(tmp_path), folder).pictures == 6
    assert "1 of 7 pictures have the bytes of another one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("valences", "n_known", "message"),
    [
        ([1.0, 2.0, 3.0], 2, r"3 pictures with a number .* 1 can be judged \(2 of 3 trained this bundle\); it takes 3"),
        ([4.0, 4.0, 4.0], 0, "all 3 pictures of .* have one valence, 4"),
    ],
)
def test_why_nothing_can_be_judged_is_said(tmp_path, valences, n_known, message):
    paths = sorted(write_gallery(tmp_path / "photos", 3))
    predictor = tiny_predictor(tmp_path)
    bundle = with_manifest(predictor.bundle, training_hashes=tuple(map(file_sha256, paths[:n_known])))
    with pytest.raises(DataError, match=message):
        measure_valence(Predictor(bundle, FakeRuntime()), _rate(tmp_path / "photos", valences))


def test_a_middle_that_is_no_number_is_refused(tmp_path):
    with pytest.raises(DataError, match="middle of the scale cannot be nan"):
        measure_valence(tiny_predictor(tmp_path), tmp_path, middle=float("nan"))
