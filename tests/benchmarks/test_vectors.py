import numpy as np
import pytest

from benchmarks.vectors import DIM, FITTED, LEVELS, blocks, made_up, neighbourhood, real_neighbourhood, two_nn_dimension


def test_made_up_vectors_have_the_form_of_sentiment_vectors() -> None:
    vectors = made_up(500, seed=1)
    assert (vectors.shape, vectors.dtype) == ((500, DIM), np.float32)
    assert (vectors >= 0).all()
    levels = np.linalg.norm(vectors.reshape(500, LEVELS, -1), axis=2)
    np.testing.assert_allclose(levels, 1 / np.sqrt(LEVELS), rtol=1e-5)


def test_same_seed_same_vectors_block_by_block() -> None:
    vectors = made_up(20_000, seed=1)
    assert [len(block) for block in blocks(20_000, seed=1)] == [16_384, 3_616]
    np.testing.assert_array_equal(made_up(20_000, seed=1), vectors)
    assert not (made_up(100, seed=2)[:, None] == vectors[:100]).all(axis=2).any()


def test_made_up_vectors_lie_as_close_as_the_real_ones_did() -> None:
    count, real = real_neighbourhood()
    made = neighbourhood(made_up(count, seed=1))
    assert made.two_nn == pytest.approx(real.two_nn, rel=0.1)
    assert made.typical == pytest.approx(real.typical, rel=0.05)
    np.testing.assert_allclose(made.nearest, real.nearest, rtol=0.15)


@pytest.mark.parametrize("dimension", [2, 5, 8])
def test_the_intrinsic_dimension_of_a_flat_sheet(dimension) -> None:
    rng = np.random.default_rng(0)
    sheet = rng.random((2000, dimension)) @ np.linalg.qr(rng.normal(size=(40, dimension)))[0].T
    assert neighbourhood(sheet.astype(np.float32)).two_nn == pytest.approx(dimension, rel=0.15)


def test_two_nn_by_hand() -> None:
    """Ratios e, e^2, e^4 of shares 1/4, 1/2, 3/4; the last tenth, here one, is left out of the fit."""
    first, second = np.ones(3), np.exp([1.0, 2.0, 4.0])
    x, y = np.array([1.0, 2.0]), -np.log([0.75, 0.5])
    assert two_nn_dimension(first, second) == pytest.approx(float(x @ y / (x @ x)))
    assert two_nn_dimension(np.append(first, 0), np.append(second, 1)) == two_nn_dimension(first, second)


def test_neighbourhood_by_hand() -> None:
    """At 0, 1, 3 and 7 of a line: nearest neighbours at 1, 1, 2, 4, pairs at 1, 2, 3, 4, 6, 7."""
    found = neighbourhood(np.array([[0], [1], [3], [7]], np.float32))
    np.testing.assert_allclose(found.nearest, (1, 1, 1.5, 2.5, 3.7))
    assert found.typical == 3.5


def test_what_is_shipped_is_small_and_holds_no_vector_of_a_picture() -> None:
    count, _ = real_neighbourhood()
    assert FITTED.stat().st_size < 200_000
    with np.load(FITTED) as arrays:
        assert all(count not in array.shape for array in arrays.values())
