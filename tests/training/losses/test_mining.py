"""Which of the valid pictures is chosen; that the chosen ones are valid, the losses' own tests show."""

import pytest
import torch
from torch import Tensor

from training.losses.distances import squared_distances
from training.losses.mining import NONE, Mining, _choose, mine_triplets


def _rows(eligible: list[bool], n: int) -> tuple[Tensor, Tensor, Tensor]:
    """`n` times the same candidates, all of them within every margin of 2."""
    columns = torch.linspace(0.1, 0.9, len(eligible)).repeat(n, 1)
    return columns, torch.zeros(n), torch.tensor(eligible).repeat(n, 1)


@pytest.mark.parametrize("mining", [Mining.RANDOM, Mining.SEMI_HARD])
@pytest.mark.parametrize("eligible", [[True], [False, True, True, False, True], [True] * 7, [False, True, False]])
def test_every_valid_picture_is_as_likely(mining: Mining, eligible: list[bool]) -> None:
    n = 6000
    chosen = _choose(*_rows(eligible, n), 2.0, mining, torch.Generator().manual_seed(0))
    counts = torch.bincount(chosen, minlength=len(eligible)).tolist()
    expected = n / sum(eligible)
    for count, valid in zip(counts, eligible, strict=True):
        assert count == pytest.approx(expected, abs=5 * expected**0.5) if valid else count == 0


@pytest.mark.parametrize("mining", list(Mining))
def test_a_row_without_a_valid_picture_has_none(mining: Mining) -> None:
    candidates, reference, eligible = _rows([True, False, True], 4)
    eligible[1] = False
    chosen = _choose(candidates, reference, eligible, 2.0, mining, torch.Generator().manual_seed(0))
    assert (chosen == NONE).tolist() == [False, True, False, False]
    assert mining is not Mining.HARD or chosen.tolist() == [0, NONE, 0, 0]


@pytest.mark.parametrize("mining", [Mining.RANDOM, Mining.SEMI_HARD])
def test_one_number_is_drawn_for_each_pair(mining: Mining) -> None:
    """There are up to b^2 pairs: a number for each of the b pictures too would be most of a step's work."""
    embedding = torch.nn.functional.normalize(torch.randn(24, 6, generator=torch.Generator().manual_seed(1)), dim=1)
    labels = torch.arange(24) % 4
    drawing, counting = (torch.Generator().manual_seed(7) for _ in range(2))
    mine_triplets(squared_distances(embedding), labels, 0.2, mining, drawing)
    n_pairs = 24 * 5
    torch.rand(n_pairs, generator=counting, dtype=torch.float64)
    assert torch.equal(drawing.get_state(), counting.get_state())


def test_the_same_seed_chooses_the_same_and_another_seed_others() -> None:
    one, same, other = (
        _choose(*_rows([True] * 9, 50), 2.0, Mining.RANDOM, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
