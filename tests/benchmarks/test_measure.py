import math
from statistics import median

import pytest

from benchmarks.measure import interleaved, percentile, ratio, rotated


class _Clock:
    """Time that passes only while somebody works."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_contenders_take_turns_each_round_from_another_start() -> None:
    ran: list[str] = []
    contenders = {name: lambda name=name: ran.append(name) for name in "abc"}
    interleaved(contenders, rounds=2, calls=2)
    # Three times in a row: once to warm up, twice timed.
    assert "".join(ran) == "aaabbbccc" + "bbbcccaaa"


def test_a_turn_counts_its_calls_and_not_the_warm_up() -> None:
    clock, durations = _Clock(), iter([100.0, 1.0, 3.0, 100.0, 5.0, 7.0])

    def work() -> None:
        clock.now_s += next(durations)

    assert interleaved({"a": work}, rounds=2, calls=2, clock=clock) == {"a": [2.0, 6.0]}


@pytest.mark.parametrize(("number", "expected"), [(0, "abc"), (1, "bca"), (2, "cab"), (3, "abc")])
def test_rotated(number: int, expected: str) -> None:
    assert "".join(rotated("abc", number)) == expected


def test_ratio_is_the_median_of_the_rounds_not_of_the_sides() -> None:
    # The machine is ten times slower in the last two rounds; the contenders' ratio is 2, 2, 2, 3 in the rounds.
    found = ratio([2.0, 2.0, 20.0, 30.0], [1.0, 1.0, 10.0, 10.0])
    assert found.median == 2.0
    assert (found.low, found.high) == (2.0, 2.25)
    # The medians of the sides, 2 and 4, come from different rounds.
    sides = [1.0, 10.0, 2.0], [1.0, 5.0, 4.0]
    assert median(sides[0]) / median(sides[1]) == 0.5
    assert ratio(*sides).median == 1.0
    assert found.spread == "quartiles 2 to 2.25"


def test_ratio_of_a_single_round() -> None:
    assert ratio([3.0], [2.0]) == (1.5, 1.5, 1.5)


def test_ratio_wants_the_same_rounds() -> None:
    with pytest.raises(ValueError, match="argument"):
        ratio([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([5.0], 0.5, 5.0), ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0), ([1.0, 2.0, 3.0], 0.5, 2.0), (list(range(1, 101)), 0.99, 99)],
)
def test_percentile(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected
    # The definition: the smallest value with at least that share of all at or below it.
    slow = min(v for v in values if sum(other <= v for other in values) >= share * len(values))
    assert percentile(values, share) == slow


def test_percentile_of_nothing() -> None:
    assert math.isnan(percentile([], 0.5))
