"""What is said of a recipe and a label set before training."""

import re

import pytest

from emotion.taxonomy import MIKELS, read_taxonomy
from training.checks import filters_failure, polarity_warning, unfreezing_warning
from training.config_file import load_config

ADS = read_taxonomy("ads-30")
SUP_CON = "loss.embedding=sup_con"


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([], r"'ads-30' has not two sides for loss\.embedding=sentiment; take another"),
        (["loss.w=0"], None),
        ([SUP_CON], None),
        ([SUP_CON, "loss.polarity_weight=0.25"], r"not two sides for loss\.polarity_weight=0\.25; take 0"),
        ([SUP_CON, "loss.polarity_weight=0.25", "loss.w=0"], None),
        (["loss.embedding=none"], None),
    ],
)
def test_what_asks_for_polarity_says_where_there_is_none(sets: list[str], message: str | None) -> None:
    loss = load_config("default", sets).loss
    found = polarity_warning(loss, ADS)
    assert (found is None) == (message is None)
    assert message is None or re.search(message, str(found))
    assert polarity_warning(loss, MIKELS) is None


@pytest.mark.parametrize(
    ("sets", "dim"),
    [
        ([], "2,640"),  # 5 levels of 32 * 33 / 2 values
        (["network.sentiment_vector.n_levels=4"], "2,112"),
        (["network.sentiment_vector.n_filters=32"], None),
        (["network.sv_init=random"], None),
    ],
)
def test_too_few_filters_name_both_ways_out_and_their_price(sets: list[str], dim: str | None) -> None:
    network = load_config("default", sets).network
    found = filters_failure(network, ADS)
    assert (found is None) == (dim is None)
    for words in () if found is None else ("n_filters=32", f"{dim}-d", "network.sv_init=random", "30 emotions"):
        assert words in str(found)
    assert filters_failure(network, MIKELS) is None


@pytest.mark.parametrize(
    ("every", "epochs", "n_learning"),
    [(0, 1, None), (1, 0, None), (1, 9, None), (1, 8, 7), (2, 12, 5), (2, 17, None), (5, 6, 1)],
)
def test_stages_that_never_learn_are_counted(every: int, epochs: int, n_learning: int | None) -> None:
    config = load_config("default", [f"optim.unfreeze_epochs={every}", f"loop.epochs={epochs}"])
    found = unfreezing_warning(8, config)
    assert (found is None) == (n_learning is None)
    assert found is None or f"lets {n_learning} of 8 stages learn" in found
    assert found is None or f"from loop.epochs={8 * every + 1} on" in found
