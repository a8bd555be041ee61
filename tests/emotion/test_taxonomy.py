import numpy as np
import pytest

from emotion.errors import TaxonomyError
from emotion.taxonomy import MIKELS, Emotion, Polarity, Taxonomy


@pytest.mark.parametrize(
    ("a", "b", "dis"),
    [
        ("awe", "awe", 1),
        ("awe", "contentment", 2),
        ("excitement", "fear", 2),
        ("amusement", "anger", 2),
        ("amusement", "excitement", 4),
        ("contentment", "sadness", 5),
        ("amusement", "fear", 5),
    ],
)
def test_wheel_distance(a: str, b: str, dis: int) -> None:
    assert MIKELS.dis(a, b) == MIKELS.dis(b, a) == dis


def test_every_emotion_has_one_opposite_and_two_of_each_distance_between() -> None:
    for row in MIKELS.dis_matrix():
        assert sorted(row) == [1, 2, 2, 3, 3, 4, 4, 5]


def test_polarity_probabilities_sum_the_sides() -> None:
    probs = np.zeros((1, 8), dtype=np.float32)
    probs[0, MIKELS.index("awe")] = 0.5
    probs[0, MIKELS.index("amusement")] = 0.2
    probs[0, MIKELS.index("fear")] = 0.3
    sides = MIKELS.polarity_probabilities(probs)
    assert sides[Polarity.POSITIVE][0] == pytest.approx(0.7)
    assert sides[Polarity.NEGATIVE][0] == pytest.approx(0.3)


def test_an_emotion_without_a_side_is_left_out_of_polarity() -> None:
    taxonomy = Taxonomy(
        name="three",
        emotions=(
            Emotion(name="joy", polarity=Polarity.POSITIVE),
            Emotion(name="fear", polarity=Polarity.NEGATIVE),
            Emotion(name="surprise"),
        ),
    )
    sides = taxonomy.polarity_probabilities(np.array([[0.3, 0.1, 0.6]], dtype=np.float32))
    assert sides[Polarity.POSITIVE][0] == pytest.approx(0.75)
    assert [taxonomy.dis("joy", other) for other in taxonomy.names] == [1, 3, 3]


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(TaxonomyError, match=r"unknown emotion 'joy'.*amusement, anger"):
        MIKELS.index("joy")


@pytest.mark.parametrize("wheel", [("a",), ("a", "b", "b"), ("a", "c")])
def test_a_wheel_names_each_emotion_once(wheel: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="wheel"):
        Taxonomy(name="t", emotions=(Emotion(name="a"), Emotion(name="b")), wheel=wheel)


def test_json_round_trip() -> None:
    assert Taxonomy.model_validate_json(MIKELS.model_dump_json()) == MIKELS
