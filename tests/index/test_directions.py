import faiss
import numpy as np
import pytest

from index.build import build_flat, build_ivf
from index.device import to_device
from index.directions import main_directions, split, with_directions


def test_by_hand():
    """Points along the diagonal of a plane: its direction is the main one, the mean lies at the origin."""
    vectors = np.array([[1, 1], [2, 2], [6, 6]], np.float32)
    directions = main_directions(vectors, 1)
    np.testing.assert_allclose(np.abs(directions.axes), np.sqrt([[0.5], [0.5]]), rtol=1e-6)
    expected = np.sqrt(2) * np.array([-2, -1, 3])
    sign = np.sign(directions.axes[0, 0])
    np.testing.assert_allclose(sign * directions.project(vectors)[:, 0], expected, rtol=1e-5)


def test_distances_are_never_longer_and_along_all_directions_the_same(clustered):
    vectors = clustered(300)
    distances = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    for count in (1, 4, 16, 32):
        along = main_directions(vectors, count).project(vectors)
        projected = np.linalg.norm(along[:, None] - along, axis=2)
        assert (projected <= distances + 1e-5).all()
    np.testing.assert_allclose(projected, distances, atol=1e-5)


def test_the_first_directions_hold_the_most_variance(clustered):
    vectors = clustered(500)
    variances = main_directions(vectors, 32).project(vectors).var(0)
    assert (np.diff(variances) <= 1e-7).all()
    np.testing.assert_allclose(variances.sum(), vectors.var(0).sum(), rtol=1e-4)


def test_written_and_read_as_one_file(tmp_path, clustered):
    vectors = clustered(400)
    index = build_ivf(vectors, n_directions=8)
    faiss.write_index(index, str(tmp_path / "index"))
    read = faiss.read_index(str(tmp_path / "index"))
    assert (read.ntotal, read.d) == (400, 32)
    expected, found = (to_device(one).search(vectors[:20], 5, n_probe=3)[1] for one in (index, read))
    np.testing.assert_array_equal(found, expected)


def test_the_inner_index_outlives_the_name_of_the_whole(clustered):
    vectors = clustered(400)
    device_index = to_device(build_ivf(vectors, n_directions=8))
    assert (device_index.count, device_index.dim) == (400, 32)
    rows = device_index.search(vectors, 1, n_probe=10)[1].ravel()
    assert (rows == np.arange(400)).mean() > 0.9


def test_our_projection_is_the_one_that_faiss_makes_of_the_file(clustered):
    vectors = clustered(200)
    directions = main_directions(vectors, 8)
    whole = with_directions(directions, faiss.IndexFlatL2(8))
    whole.add(vectors)
    inner, read = split(whole)
    np.testing.assert_array_equal(read.axes, directions.axes)
    np.testing.assert_allclose(inner.reconstruct_n(0, 200), directions.project(vectors), atol=1e-6)


def test_an_index_of_whole_vectors_has_none(clustered):
    index = build_flat(clustered(5))
    assert split(index) == (index, None)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_fewer_vectors_than_directions(count, clustered):
    vectors = clustered(count)
    index = to_device(build_ivf(vectors, n_directions=16))
    assert sorted(index.search(vectors[:1], count, n_probe=1)[1][0]) == list(range(count))
