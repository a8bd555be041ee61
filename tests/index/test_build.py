import faiss
import numpy as np
import pytest

from index.build import MIN_POINTS_PER_LIST, build_flat, build_ivf, n_lists_for
from index.gpu import GPU_MAX_K


def test_flat_holds_the_vectors_row_for_row(clustered):
    vectors = clustered(20)
    index = build_flat(vectors)
    np.testing.assert_array_equal(index.reconstruct_n(0, 20), vectors)


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (38, 1), (39, 1), (2000, 51), (23_000, 589), (200_000, 1788)])
def test_lists_grow_with_the_root_of_the_gallery(count, expected):
    assert n_lists_for(count) == expected


def test_lists_have_points_to_train_on_and_fit_a_gpu():
    for count in (100, 1_000, 10_000, 1_000_000, 10**9):
        assert MIN_POINTS_PER_LIST * n_lists_for(count) <= count
        assert n_lists_for(count) <= GPU_MAX_K


@pytest.mark.parametrize("count", [1, 2, 39, 40, 500, 3000])
def test_ivf_holds_every_vector_and_prints_nothing(clustered, capfd, count):
    index = build_ivf(clustered(count))
    assert (index.ntotal, index.nlist, index.code_size) == (count, n_lists_for(count), 32)
    assert sum(index.invlists.list_size(i) for i in range(index.nlist)) == count
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_equal_vectors_can_be_put_in_lists(capfd):
    index = build_ivf(np.ones((500, 8), np.float32))
    assert index.ntotal == 500
    assert capfd.readouterr().err == ""


def test_same_vectors_same_index(clustered):
    vectors = clustered(3000)
    first, second = (faiss.serialize_index(build_ivf(vectors)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_another_seed_is_another_index(clustered):
    vectors = clustered(5000)
    first, second = (faiss.serialize_index(build_ivf(vectors, seed)) for seed in (0, 1))
    assert not np.array_equal(first, second)
