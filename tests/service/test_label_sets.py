"""The service with label sets of another shape than Mikels': what they lack is null, never zero."""

import pytest

from emotion.predictor import Predictor
from emotion.taxonomy import Taxonomy, read_taxonomy
from fakes import FakeRuntime, encoded, tiny_bundle
from index.gallery import GalleryRoot
from index.rebuild import rebuild

PNG = encoded(3)
PLAIN = Taxonomy.model_validate({"name": "plain", "emotions": list("abcdefgh")})


@pytest.fixture
def ask(tmp_path, empty_store, gallery, serve):
    """A service over a model of the given label set."""

    def start(taxonomy: Taxonomy):
        predictor = Predictor(tiny_bundle(tmp_path / taxonomy.name, taxonomy=taxonomy), FakeRuntime())
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
