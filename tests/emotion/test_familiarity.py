"""From a distance to a share of ordinary pictures."""

import numpy as np
import pytest
from pydantic import ValidationError

from emotion.familiarity import FamiliarityScale

SCALE = FamiliarityScale(quantiles=(10, 20, 20, 40, 60), unfamiliar_below=0.2)


@pytest.mark.parametrize(
    ("distance", "familiarity", "unfamiliar"),
    [(0, 1.0, False), (10, 1.0, False), (15, 0.875, False), (40, 0.25, False), (50, 0.125, True), (99, 0.0, True)],
)
def test_by_hand(distance: float, familiarity: float, unfamiliar: bool) -> None:
    found = SCALE.familiarity(np.array([distance], np.float32))
    assert found.tolist() == [familiarity]
    assert SCALE.is_unfamiliar(found).tolist() == [unfamiliar]


def test_it_is_the_share_of_pictures_at_least_as_far() -> None:
    rng = np.random.default_rng(0)
    ordinary, distances = rng.gamma(9, 4, 5000), rng.gamma(9, 4, 50).astype(np.float32)
    scale = FamiliarityScale(quantiles=tuple(np.quantile(ordinary, np.linspace(0, 1, 101))))
    expected = [np.mean(ordinary >= distance) for distance in distances]
    assert scale.familiarity(distances) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("quantiles", [(), (1,), (2, 1), (1, float("nan"))])
def test_quantiles_that_are_none_are_refused(quantiles: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        FamiliarityScale(quantiles=quantiles)
