"""Several labels a picture: where they come from, how they are split and thinned out."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion.errors import DataError
from emotion.taxonomy import MIKELS, read_taxonomy
from fakes import encoded
from training.data.multi_label import (
    MultiLabelSample,
    fitting_label_set,
    label_matrix,
    load_or_make_parts,
    read_multi_label,
    undersampled,
)

SIX = read_taxonomy("emotion6-neutral")


def paint(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(seed))


def samples(n: int) -> list[MultiLabelSample]:
    return [MultiLabelSample(Path(f"{i}.png"), (i % 3,), f"{i:064x}") for i in range(n)]


def named(found: list[MultiLabelSample], names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [tuple(names[label] for label in sample.labels) for sample in found]


@pytest.mark.parametrize(
    ("threshold", "labels", "skipped"),
    [
        (0.2, [("joy", "surprise"), ("fear",)], []),
        (0.1, [("fear", "joy", "sadness", "surprise"), ("anger", "disgust", "fear")], []),
        (0.65, [("fear",)], ["a.png"]),
    ],
)
def test_votes_count_from_their_threshold_on(
    tmp_path: Path, threshold: float, labels: list[tuple[str, ...]], skipped: list[str]
) -> None:
    """Shares are rounded in the table: the .1999 of surprise is a fifth."""
    paint(tmp_path, "a.png", "b.png")
    rows = ["a.png,6,5,0,0,.1,.6,.1,.1999,0", "b.png,3,5,.1,.1,.7,0,0,0,0"]
    header = f"path,valence,arousal,{','.join(SIX.names)}"
    (tmp_path / "manifest.csv").write_text("\n".join([header, *rows]))
    found = read_multi_label(tmp_path, SIX, threshold)
    assert SIX.names == ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
    assert named(found.samples, SIX.names) == labels
    assert [Path(item.path).name for item in found.skipped] == skipped


def test_a_manifest_says_its_labels_itself(tmp_path: Path) -> None:
    paint(tmp_path, "a.png", "b.png", "c.png", "d.png")
    (tmp_path / "e.png").write_bytes((tmp_path / "a.png").read_bytes())
    rows = ["a.png,awe|Fear", "b.png,awe", "c.png,awe|hunger", "d.png,", "e.png,awe"]
    (tmp_path / "manifest.csv").write_text("\n".join(["path,labels", *rows]))
    found = read_multi_label(tmp_path, MIKELS)
    assert named(found.samples, MIKELS.names) == [("awe", "fear"), ("awe",)]
    kinds = {Path(item.path).name: (item.kind, item.conflict) for item in found.skipped}
    assert kinds == {"c.png": ("unlabelled", False), "d.png": ("unlabelled", False), "e.png": ("duplicate", True)}
    assert any("'hunger'" in item.reason for item in found.skipped)


def test_the_label_set_is_found_that_knows_most(tmp_path: Path) -> None:
    paint(tmp_path, "0/1.jpg")
    (tmp_path / "Sentiments.json").write_text(json.dumps({"0/1.jpg": [["12"], ["4"]]}))
    assert fitting_label_set(tmp_path).name == "ads-30"
    with pytest.raises(DataError, match="'ads-30' has more of its labels"):
        read_multi_label(tmp_path, MIKELS)


def test_a_matrix_of_labels() -> None:
    matrix = label_matrix([MultiLabelSample(Path("a"), (0, 2), "a"), MultiLabelSample(Path("b"), (1,), "b")], 4)
    assert matrix.tolist() == [[True, False, True, False], [False, True, False, False]]


def test_a_frequent_label_is_thinned_to_twice_the_mean() -> None:
    """Counts 10, 1, 1: the mean is 4, so 8 of the first are kept and nothing else changes."""
    labels = np.zeros((10, 3), dtype=np.bool_)
    labels[:, 0] = labels[3, 1] = labels[7, 2] = True
    thinned = undersampled(labels, np.random.default_rng(0))
    assert thinned.sum(axis=0).tolist() == [8, 1, 1]
    assert labels.sum() == 12  # the given one is left alone
    assert (thinned <= labels).all()
    assert np.array_equal(thinned, undersampled(labels, np.random.default_rng(0)))
    assert not np.array_equal(thinned, undersampled(labels, np.random.default_rng(1)))


def test_nothing_is_thinned_where_nothing_is_frequent() -> None:
    labels = np.eye(4, dtype=np.bool_)
    assert np.array_equal(undersampled(labels, np.random.default_rng(0)), labels)


@given(st.integers(10, 200), st.integers(0, 5))
def test_parts_are_disjoint_and_of_their_size(n: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        parts = load_or_make_parts(Path(folder) / "split.json", samples(n), seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert [len(part) for part in parts] == pytest.approx([0.7 * n, 0.2 * n, 0.1 * n], abs=1)


def test_a_split_goes_by_content_and_is_kept(tmp_path: Path) -> None:
    given = samples(40)
    first = load_or_make_parts(tmp_path / "split.json", given)
    turned = given[::-1]
    again = load_or_make_parts(tmp_path / "split.json", turned)
    fresh = load_or_make_parts(tmp_path / "other.json", turned)
    for one, two, three in zip(first, again, fresh, strict=True):
        digests = [{rows[row].digest for row in part} for rows, part in ((given, one), (turned, two), (turned, three))]
        assert digests[0] == digests[1] == digests[2]
    with pytest.raises(DataError, match="other pictures"):
        load_or_make_parts(tmp_path / "split.json", given[:-1])


def test_too_few_pictures_to_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="10 or more"):
        load_or_make_parts(tmp_path / "split.json", samples(2))
