import pytest

from benchmarks.swap import SETTLING_S, Swap, Timed, _rows, split

SWAP = Swap(begin=10.0, taken=11.0)


@pytest.mark.parametrize(
    ("begin", "end", "during"),
    [
        (8.0, 9.9, False),
        (9.9, 10.1, True),
        (10.5, 10.6, True),
        (11.5, 11.6, True),
        (9.0, 14.0, True),
        (11.0 + SETTLING_S, 12.5, False),
    ],
)
def test_an_answer_that_a_swap_had_any_part_in_counts_as_during_it(begin, end, during) -> None:
    inside, outside = split([Timed(begin, end, 200)], [SWAP])
    assert (len(inside), len(outside)) == ((1, 0) if during else (0, 1))


def test_failures_are_counted_and_only_good_answers_timed() -> None:
    slow = [Timed(10.2, 10.3, 200), Timed(10.2, 10.2, 0), Timed(10.4, 10.4, 503)]
    usual = [Timed(1.0, 1.05, 200)]
    failed, p99, taken = _rows([*slow, *usual], [SWAP])
    assert failed.measured == 2
    assert "statuses [0, 503]" in failed.detail
    assert not failed.bar.is_reached(failed.measured)
    assert p99.measured == pytest.approx(0.1 / 0.05)
    assert taken.measured == 1.0
