import json
import re
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from emotion.bundle import load_bundle
from emotion.errors import TaxonomyError
from emotion.taxonomy import MIKELS, Emotion, Polarity, Taxonomy, read_taxonomy, taxonomy_names


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


@pytest.mark.parametrize("name", taxonomy_names())
def test_shipped_sets_are_called_like_their_files(name: str) -> None:
    assert read_taxonomy(name).name == name


def test_the_shipped_sets_as_their_sources_state_them() -> None:
    """Typed again from the sources, not read from the files."""
    ekman = ("anger", "disgust", "fear", "joy", "sadness", "surprise")
    assert read_taxonomy("emotion6").names == ekman
    assert read_taxonomy("emotion6-neutral").names == (*ekman, "neutral")
    plutchik = read_taxonomy("plutchik")
    for a, b in (("joy", "sadness"), ("trust", "disgust"), ("fear", "anger"), ("surprise", "anticipation")):
        assert plutchik.steps(a, b) == 4, "Plutchik's opposites"
    ads = read_taxonomy("ads-30").names
    assert len(ads) == 30
    numbered = {1: "active", 4: "alert", 6: "amused", 9: "cheerful", 11: "conscious", 12: "creative"}
    numbered |= {21: "inspired", 24: "manly", 25: "persuaded", 30: "youthful"}
    assert {number: ads[number - 1] for number in numbered} == numbered


def test_mikels_is_what_the_shipped_model_was_trained_with() -> None:
    bundle = json.loads((ROOT / "models" / "mikels-lite0" / "bundle.json").read_text())
    assert MIKELS.model_dump(mode="json") == bundle["taxonomy"]
    assert load_bundle(ROOT / "models" / "mikels-lite0").model_id == "b7029537f0560176"


def test_a_set_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(
        '{"name": "mine", "emotions": [{"name": "joy", "polarity": "positive"}, "calm", '
        '{"name": "so-so", "polarity": "neutral"}, {"name": "dread", "polarity": "negative"}]}'
    )
    mine = read_taxonomy(path)
    assert mine.names == ("joy", "calm", "so-so", "dread")
    assert [mine.polarity_of(name) for name in mine.names] == [Polarity.POSITIVE, None, None, Polarity.NEGATIVE]
    assert mine.wheel is None
    assert mine == read_taxonomy(str(path))


def test_a_file_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.json").write_text('{"name": "mine", "emotions": ["joy", "dread"]}')
    assert read_taxonomy("~/mine.json").name == "mine"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "file: Invalid JSON"),
        ('{"name": "x", "emotions": ["a"]}', "at least two distinct emotions"),
        ('{"name": "x", "emotions": ["a", "b|c"]}', r"emotions\.1\.name: .*'b\|c' cannot be a label"),
        ('{"name": "x", "emotions": ["a", " b"]}', "cannot be a label"),
        ('{"name": "x", "emotions": [{"name": "a", "polarity": "good"}, "b"]}', r"emotions\.0\.polarity"),
        ('{"name": "x", "emotions": ["a", "b"], "wheel": ["a"]}', "must name each of its emotions once"),
        ('{"name": "x", "emotions": ["a", "b"], "weel": null}', "weel: Extra inputs"),
    ],
)
def test_a_file_that_is_no_label_set_says_why(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(TaxonomyError, match=rf"mine\.json is not a label set: .*{message}"):
        read_taxonomy(path)


def test_a_wrong_name_lists_the_right_ones() -> None:
    known = "ads-30, emotion6, emotion6-neutral, mikels, plutchik"
    with pytest.raises(TaxonomyError, match=rf"'mikel'; label sets: {known}; did you mean 'mikels'"):
        read_taxonomy("mikel")


@pytest.mark.parametrize(
    ("polarities", "sides"),
    [((None, None), False), (("positive", "positive"), False), (("positive", "neutral"), False)],
)
def test_without_two_sides_there_is_no_polarity(polarities: tuple[str | None, ...], sides: bool) -> None:
    emotions = [{"name": name, "polarity": side} for name, side in zip("ab", polarities, strict=True)]
    taxonomy = Taxonomy.model_validate({"name": "t", "emotions": emotions})
    assert taxonomy.has_polarity is sides
    assert taxonomy.polarity_probabilities(np.array([[0.4, 0.6]], dtype=np.float32)) == {}
    assert MIKELS.has_polarity


def test_the_label_set_in_the_documentation_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "data.md").read_text(), re.DOTALL)
    (tmp_path / "mine.json").write_text(example)
    assert read_taxonomy(tmp_path / "mine.json").has_polarity


def test_of_several_emotions_a_side_counts_by_its_likeliest() -> None:
    """Joy .9 stands against four of .3, whose sum would be 1.2."""
    six = read_taxonomy("emotion6")
    probs = np.array([[0.9 if name == "joy" else 0.3 for name in six.names]], dtype=np.float32)
    sides = six.polarity_probabilities(probs, several=True)
    assert sides[Polarity.POSITIVE] == pytest.approx(0.75)
    assert sides[Polarity.NEGATIVE] == pytest.approx(0.25)
    assert six.polarity_probabilities(probs)[Polarity.NEGATIVE] == pytest.approx(1.2 / 2.1)
