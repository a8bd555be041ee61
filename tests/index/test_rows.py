import numpy as np
import pytest

from index.rows import GalleryRows, KnownRows, decode_ids, encode_ids


def rows(ids: str, value: float) -> GalleryRows:
    return GalleryRows(tuple(ids), np.full((len(ids), 2), value, np.float32), np.full((len(ids), 3), value, np.float32))


def test_gather_takes_from_every_source_and_the_last_wins():
    known = KnownRows([rows("ab", 1), rows("bc", 2)])
    gathered = known.gather(["c", "a", "b"])
    assert gathered.ids == ("c", "a", "b")
    assert gathered.vectors.tolist() == [[2, 2], [1, 1], [2, 2]]
    assert gathered.probabilities.shape == (3, 3)
    assert "a" in known
    assert "d" not in known


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 ids, 1 vectors"):
        GalleryRows(("a", "b"), np.zeros((1, 2), np.float32), np.zeros((2, 2), np.float32))


def test_ids_round_trip():
    assert decode_ids(encode_ids(["0a", "ff"])) == ("0a", "ff")
