"""The service with label sets of another shape than Mikels': what they lack is null, never zero."""

from typing import Any

import numpy as np
import pytest

from emotion.predictor import Predictor
from emotion.taxonomy import MIKELS, Taxonomy, read_taxonomy
from fakes import FakeRuntime, encoded, tiny_bundle
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from service.answers import Naming

PNG = encoded(3)
PLAIN = Taxonomy.model_validate({"name": "plain", "emotions": list("abcdefgh")})


@pytest.fixture
def ask(tmp_path, empty_store, gallery, serve):
    """A service over a model of the given label set."""

    def start(taxonomy: Taxonomy, **changes: Any):
        predictor = Predictor(tiny_bundle(tmp_path / taxonomy.name, taxonomy=taxonomy, **changes), FakeRuntime())
        rebuild(empty_store, predictor, root=GalleryRoot(path=gallery))
        return serve(predictor=predictor)

    return start


def test_without_two_sides_polarity_is_null(ask):
    client = ask(PLAIN)
    classified = client.post("/classify", content=PNG).json()
    assert list(classified["probabilities"]) == list("abcdefgh")
    assert (classified["polarity"], classified["polarity_probabilities"]) == (None, None)
    found = client.post("/search", content=PNG).json()
    assert (found["query"]["polarity"], found["query"]["polarity_probabilities"]) == (None, None)
    assert {result["polarity"] for result in found["results"]} == {None}
    facts = client.get("/info").json()["model"]["taxonomy"]
    assert facts["wheel"] is None
    assert [emotion["polarity"] for emotion in facts["emotions"]] == [None] * 8


def test_emotions_without_a_side_are_left_out_of_polarity(ask):
    plutchik = read_taxonomy("plutchik")
    client = ask(plutchik)
    answer = client.post("/classify", content=PNG).json()
    p = answer["probabilities"]
    positive, negative = p["joy"] + p["trust"], p["anger"] + p["disgust"] + p["fear"] + p["sadness"]
    expected = {"positive": positive / (positive + negative), "negative": negative / (positive + negative)}
    assert answer["polarity_probabilities"] == pytest.approx(expected, abs=1e-5)
    assert answer["polarity"] == max(expected, key=expected.get)
    assert client.get("/info").json()["model"]["taxonomy"]["wheel"] == list(plutchik.wheel)


def test_one_emotion_a_picture_has_no_list_of_them(ask):
    client = ask(PLAIN)
    assert client.post("/classify", content=PNG).json()["emotions"] is None
    found = client.post("/search", content=PNG).json()
    assert {result["emotions"] for result in found["results"]} == {None}
    assert client.get("/info").json()["model"]["thresholds"] is None


@pytest.mark.parametrize(
    ("probabilities", "emotions"),
    [
        ([0.6, 0.1, 0.9], ["c", "a"]),
        ([0.5, 0.2, 0.8], ["c", "a", "b"]),
        ([0.4, 0.2, 0.79], ["b"]),
        ([0.4, 0.1, 0.79], ["c"]),
        ([0.6, 0.6, 0.1], ["a", "b"]),
    ],
    ids=["two reach it", "exactly counts", "not the most probable", "none does", "a tie in the set's order"],
)
def test_emotions_are_those_that_reach_their_thresholds(probabilities, emotions):
    taxonomy = Taxonomy.model_validate({"name": "three", "emotions": list("abc")})
    naming = Naming(taxonomy, np.array([0.5, 0.2, 0.8], dtype=np.float32))
    assert naming.emotions(np.array(probabilities, dtype=np.float32)) == emotions


def test_several_emotions_reach_every_answer(ask):
    client = ask(PLAIN, thresholds=dict.fromkeys("abcdefgh", 0.3))
    classified = client.post("/classify", content=PNG).json()
    p = classified["probabilities"]
    assert classified["emotions"] == sorted((name for name in p if p[name] >= 0.3), key=lambda name: -p[name])
    assert len(classified["emotions"]) > 1
    assert (classified["emotion"], classified["confidence"]) == (classified["emotions"][0], max(p.values()))
    assert (classified["polarity"], classified["polarity_probabilities"]) == (None, None)
    found = client.post("/search", content=PNG).json()
    assert found["query"] == classified
    assert all(result["emotion"] == result["emotions"][0] for result in found["results"])


def test_of_several_emotions_a_side_counts_by_its_likeliest(ask):
    answer = ask(MIKELS, thresholds=dict.fromkeys(MIKELS.names, 0.3)).post("/classify", content=PNG).json()
    p, sides = answer["probabilities"], ("positive", "negative")
    likeliest = {side: max(p[e.name] for e in MIKELS.emotions if e.polarity == side) for side in sides}
    expected = {side: likeliest[side] / sum(likeliest.values()) for side in sides}
    assert answer["polarity_probabilities"] == pytest.approx(expected, abs=1e-5)
    assert answer["polarity"] == max(sides, key=expected.__getitem__)
