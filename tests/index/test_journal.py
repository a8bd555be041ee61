import numpy as np
import pytest

from index.journal import CHUNK_PICTURES, Journal
from index.rows import GalleryRows


def rows(start: int, n: int, dim: int = 4) -> GalleryRows:
    vectors = np.arange(start, start + n, dtype=np.float32)[:, None] * np.ones(dim, np.float32)
    return GalleryRows(tuple(f"{i:032x}" for i in range(start, start + n)), vectors, np.full((n, 2), 0.5, np.float32))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "partial"


def journal(folder, key: str = "model-fp32", dim: int = 4) -> Journal:
    return Journal(folder, key, dim, 2)


def test_chunks_outlive_the_writer(folder):
    first = journal(folder)
    first.append(rows(0, CHUNK_PICTURES))
    first.append(rows(CHUNK_PICTURES, 3))
    assert [len(chunk) for chunk in journal(folder).chunks()] == [CHUNK_PICTURES]
    first.flush()
    chunks = journal(folder).chunks()
    assert [len(chunk) for chunk in chunks] == [CHUNK_PICTURES, 3]
    assert chunks[1].ids == rows(CHUNK_PICTURES, 3).ids
    np.testing.assert_array_equal(chunks[1].vectors, rows(CHUNK_PICTURES, 3).vectors)


def test_nothing_pending_writes_nothing(folder):
    empty = journal(folder)
    empty.append(GalleryRows.empty(4, 2))
    empty.flush()
    assert not folder.exists()


@pytest.mark.parametrize("other", [{"key": "other-fp32"}, {"dim": 5}], ids=["model", "dimension"])
def test_another_model_does_not_read_them(folder, other):
    first = journal(folder)
    first.append(rows(0, 3))
    first.flush()
    assert journal(folder, **other).chunks() == []


def test_a_damaged_chunk_is_dropped_and_the_others_kept(folder):
    for start in (0, 3):
        writer = journal(folder)
        writer.append(rows(start, 3))
        writer.flush()
    first, second = sorted(folder.rglob("*.npz"))
    content = bytearray(first.read_bytes())
    content[len(content) // 3] ^= 1
    first.write_bytes(content)
    assert [chunk.ids for chunk in journal(folder).chunks()] == [rows(3, 3).ids]
    second.write_bytes(second.read_bytes()[:50])
    assert journal(folder).chunks() == []


def test_discard_removes_everything(folder):
    writer = journal(folder)
    writer.append(rows(0, 3))
    writer.flush()
    journal(folder, key="other-fp32").discard()
    assert not folder.exists()
