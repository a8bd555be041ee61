"""The advertisements' annotations in the forms that go round, and what is left out of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from emotion.errors import DataError
from emotion.taxonomy import read_taxonomy
from fakes import encoded
from training.data.advertisements import find_sentiments, is_annotation_file, read_sentiments, sentiment
from training.data.layouts import Layout, read_layout
from training.data.samples import read_samples

ADS = read_taxonomy("ads-30")


def write(folder: Path, content: Any, name: str = "Sentiments.json") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def paint(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(seed, "JPEG"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("1", "active"),
        (" 12 ", "creative"),
        ("30", "youthful"),
        ("0", None),
        ("31", None),
        ("²", None),
        ("", None),
        ("Active (energetic, adventurous, vibrant, enthusiastic, playful)", "active"),
        ('"Alert" : attentive, curious', "alert"),
        ("MANLY", "manly"),
        ("sad", "sad"),
        ("happy", None),
        ("sad about the dog", None),
    ],
)
def test_a_number_or_a_description_names_a_sentiment(text: str, name: str | None) -> None:
    assert sentiment(text, ADS.names) == name


@pytest.mark.parametrize(
    ("said", "labels"),
    [
        ([["4", "6"], ["12"]], ("alert", "amused", "creative")),
        ([["12", "4"], ["4"], ["12", "6"]], ("alert", "amused", "creative")),
        ([[4], [12]], ("alert", "creative")),
        (["4", "12"], ("alert", "creative")),
        ([["Alert (attentive, curious)"], ["nothing at all"]], ("alert",)),
        ([["nothing at all"], []], ()),
        ([], ()),
    ],
)
def test_all_that_any_annotator_felt(tmp_path: Path, said: Any, labels: tuple[str, ...]) -> None:
    file = write(tmp_path, {"0/80990.jpg": said})
    assert list(read_sentiments(file, [tmp_path])) == [(tmp_path / "0/80990.jpg", labels)]


@pytest.mark.parametrize("said", ["4", 4, None, {"4": 1}, [[["4"]]], [[None]], [[1.5]]])
def test_another_form_names_the_picture(tmp_path: Path, said: Any) -> None:
    file = write(tmp_path, {"0/80990.jpg": said})
    with pytest.raises(DataError, match=r"'0/80990\.jpg': expected a list for each annotator"):
        list(read_sentiments(file, [tmp_path]))


@pytest.mark.parametrize("content", ["[1]", "{", ""])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "Sentiments.json"
    file.write_text(content)
    with pytest.raises(DataError, match=r"Sentiments\.json"):
        list(read_sentiments(file, [tmp_path]))


@pytest.mark.parametrize("where", ["", "annotations", "image", "annotations_images/image"])
@pytest.mark.parametrize("picture", ["0/1.jpg", "subfolder-0/1.jpg", "images/0/1.jpg"])
def test_the_layout_is_told_by_the_file_wherever_it_lies(tmp_path: Path, where: str, picture: str) -> None:
    paint(tmp_path, picture)
    file = write(tmp_path / where, {"0/1.jpg": [["4", "6"], ["12"]]})
    found = read_layout(tmp_path, ADS)
    assert (find_sentiments(tmp_path), found.layout) == (file, Layout.ADS)
    assert [(item.path, item.labels) for item in found.pictures] == [
        (tmp_path / picture, ("alert", "amused", "creative"))
    ]
    by_name = read_layout(file, ADS)
    assert by_name.layout is Layout.ADS
    assert by_name.pictures == found.pictures


def test_the_wrong_layout_says_what_was_looked_for(tmp_path: Path) -> None:
    paint(tmp_path, "0/1.jpg")
    with pytest.raises(DataError, match=r"has not layout ads: looked for Sentiments\.json beside .*found 0/"):
        read_layout(tmp_path, ADS, layout=Layout.ADS)


def test_lists_of_emoset_are_still_told_apart(tmp_path: Path) -> None:
    assert is_annotation_file(write(tmp_path, {"0/1.jpg": []}))
    assert not is_annotation_file(write(tmp_path, [["awe", "1", "image/awe/1.jpg"]], "train.json"))


def test_one_emotion_a_picture_is_what_a_training_takes_and_the_rest_is_said(tmp_path: Path) -> None:
    paint(tmp_path, "0/1.jpg", "0/2.jpg")
    write(tmp_path, {"0/1.jpg": [["4"], ["4"]], "0/2.jpg": [["4"], ["6"]]})
    samples, skipped = read_samples(tmp_path, ADS)
    assert [ADS.names[sample.label] for sample in samples] == ["alert"]
    assert ["fit-multilabel" in item.reason for item in skipped] == [True]
