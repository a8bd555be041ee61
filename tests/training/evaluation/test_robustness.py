from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotion.errors import DataError
from emotion.taxonomy import MIKELS
from fakes import tiny_predictor, write_gallery
from training.data.samples import Sample, read_samples
from training.evaluation.robustness import CHANGES, Change, as_json, as_table, measure_robustness


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    write_gallery(tmp_path / "photos", 24)
    return list(read_samples(tmp_path / "photos", MIKELS).samples)


def test_a_change_that_changes_nothing_moves_nothing(tmp_path, samples):
    rows = measure_robustness(tiny_predictor(tmp_path), samples, [Change("same", lambda picture: picture.copy())])
    for row in rows:
        assert (row.same_emotion, row.moved, row.kept_neighbours) == (1.0, 0.0, 1.0)
    assert rows[0].accuracy == rows[1].accuracy


def test_losing_the_picture_loses_its_neighbours(tmp_path, samples):
    blank = Change("blank", lambda picture: Image.new("RGB", picture.size, "white"))
    whole, lost = measure_robustness(tiny_predictor(tmp_path), samples, [blank])
    assert lost.kept_neighbours < 0.7 < whole.kept_neighbours
    assert lost.moved > 0.5
    assert lost.same_emotion < 1
    # All blank pictures are named alike, so the right ones are those of one emotion.
    assert lost.accuracy in (0.0, 0.5)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_every_change_gives_another_rgb_picture(change):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8))
    changed = change.apply(picture)
    assert changed.mode == "RGB"
    assert changed.size != picture.size or np.asarray(changed).tolist() != np.asarray(picture).tolist()
    share = {
        "cropped to 80 % of each side": 0.8,
        "cropped to 60 % of each side": 0.6,
        "reduced to 112 pixels": 112 / 90,
    }
    assert changed.height == round(90 * share.get(change.name, 1))


def test_the_table_has_a_row_for_each_change(tmp_path, samples):
    rows = measure_robustness(tiny_predictor(tmp_path), samples, CHANGES[:1])
    assert [row["change"] for row in as_json(rows)] == ["none", "mirrored"]
    assert as_table(rows).splitlines()[2].startswith("| none | ")


def test_a_single_picture_is_refused(tmp_path, samples):
    with pytest.raises(DataError, match="at least 2 pictures"):
        measure_robustness(tiny_predictor(tmp_path), samples[:1])
