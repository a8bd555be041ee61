import numpy as np
import pytest

from index.rows import GalleryRows, KnownRows, PictureIds, decode_ids, encode_ids


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


def test_ids_in_a_file_are_those_of_a_tuple(tmp_path):
    names = tuple(f"{number:032x}" for number in range(10_000))
    np.save(tmp_path / "ids.npy", encode_ids(names))
    ids = PictureIds(np.load(tmp_path / "ids.npy", mmap_mode="r"))
    assert (len(ids), ids[7], ids[-1], ids[2:4]) == (10_000, names[7], names[-1], names[2:4])
    assert tuple(ids) == names
    assert ids.take(np.array([9, 3])) == (names[9], names[3])
    assert encode_ids(ids) is ids.encoded
    with pytest.raises(IndexError):
        ids[10_000]


def test_ids_compare_by_what_they_hold():
    ids, same, other = (PictureIds(encode_ids(names)) for names in (["a", "b"], ["a", "b"], ["a", "c"]))
    assert ids == same == ("a", "b")
    assert hash(ids) == hash(same)
    assert ids != other
    assert ids != ["a", "b"]
