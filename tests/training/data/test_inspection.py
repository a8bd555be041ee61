"""`python -m training data inspect`: what it says, and when it says that training would fail."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from emotion.taxonomy import MIKELS, read_taxonomy
from fakes import encoded, write_gallery
from training.__main__ import app
from training.config_file import load_config
from training.data.contact_sheet import COLUMNS, GAP_PX, PAPER, TILE_PX, write_contact_sheet
from training.data.inspection import Sides, inspect, training_failures
from training.data.samples import Sample, read_samples

DEFAULT = load_config("default")
RANDOM = ["network.head_init=random", "network.sv_init=random"]


def inspected(*arguments: str | Path) -> tuple[int, str]:
    words = ["data", "inspect", *(str(argument) for argument in arguments)]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    return result.exit_code, result.output


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Enough for the default recipe, with one of each thing that can be wrong."""
    folder = tmp_path / "photos"
    write_gallery(folder, 24)
    (folder / "awe" / "again.png").write_bytes(encoded(0))
    (folder / "fear" / "other.png").write_bytes(encoded(0))
    (folder / "fear" / "broken.jpg").write_bytes(b"no picture")
    (folder / "joy").mkdir()
    (folder / "joy" / "x.png").write_bytes(encoded(99))
    (folder / "awe" / "wide.png").write_bytes(encoded(100, size=(300, 250)))
    return folder


def test_it_counts_measures_and_names_what_is_wrong(photos: Path) -> None:
    found = inspect(photos, DEFAULT, MIKELS)
    assert len(found.samples) == 25
    assert found.failures == ()
    assert found.shorter == Sides(30, 30, 250)
    assert found.longer == Sides(40, 40, 300)
    kinds = {(Path(item.path).name, item.kind, item.conflict) for item in found.skipped}
    assert kinds == {
        ("again.png", "duplicate", False),
        ("other.png", "duplicate", True),
        ("broken.jpg", "unreadable", False),
        ("x.png", "unlabelled", False),
    }


def test_the_command_writes_what_it_says(photos: Path, tmp_path: Path) -> None:
    code, text = inspected("--data", photos, "--out", tmp_path / "look")
    assert code == 0
    for said in ("layout folders, label set mikels", "25 pictures to use", "not a JPEG, PNG", "but is labelled"):
        assert said in text
    written: dict[str, Any] = json.loads((tmp_path / "look" / "inspect.json").read_text())
    assert written["counts"] == dict.fromkeys(MIKELS.names, 0) | {"awe": 13, "fear": 12}
    assert written["shorter_side_px"] == {"least": 30, "median": 30, "most": 250}
    assert len(written["skipped"]) == 4
    with Image.open(tmp_path / "look" / "contact-sheet.png") as sheet:
        assert sheet.height == 8 * (TILE_PX + GAP_PX) + GAP_PX


@pytest.mark.parametrize(
    ("labels", "sets", "message"),
    [
        ("", [], "usable ones are there of no emotion"),
        ("awe " * 20, [], "usable ones are there of awe"),
        ("awe " * 20, ["network.sv_init=random"], "usable ones are there of awe"),
        ("awe " * 20, RANDOM, None),
        ("", RANDOM, "usable ones are there of no emotion"),
        ("awe " * 20, [*RANDOM, "data.batch_size=4"], r"data\.batch_size=4 cannot hold"),
        ("awe " * 20 + "fear " * 3, [], "one in 10 cannot hold every emotion"),
        ("awe fear " * 20, ["data.batch_size=8"], r"take data\.batch_size=16 or data\.min_per_class=4"),
        ("awe fear " * 20, ["data.batch_size=8", "loop.epochs=0"], None),
        ("awe fear " * 20, ["data.batch_size=3"], r"take data\.batch_size=16$"),
        ("awe fear " * 20, ["network.sentiment_vector.n_filters=4"], "n_filters=10"),
        ("awe fear " * 20, [], None),
        ("awe fear " * 2, ["data.validation_fraction=0", "loop.patience=0"], None),
    ],
)
def test_failures_are_those_of_a_training(labels: str, sets: list[str], message: str | None) -> None:
    samples = [Sample(Path(f"{i}"), MIKELS.index(name), f"{i}") for i, name in enumerate(labels.split())]
    failures = training_failures(samples, load_config("default", sets), MIKELS)
    assert len(failures) == (message is not None)
    assert message is None or re.search(message, failures[0])


def test_a_set_that_training_would_refuse_ends_with_exit_code_1(tmp_path: Path) -> None:
    write_gallery(tmp_path, 6)
    code, text = inspected("--data", tmp_path)
    assert code == 1
    assert "training would fail: a validation part" in text


def test_the_wrong_label_set_is_told_with_the_right_one(tmp_path: Path) -> None:
    write_gallery(tmp_path, 40, ("joy", "surprise"))
    code, text = inspected("--data", tmp_path)
    assert code == 1
    assert "'emotion6' knows more of these labels than the label set 'mikels'" in text
    assert inspected("--data", tmp_path, "--taxonomy", "emotion6")[0] == 0


@pytest.mark.parametrize("name", ["\N{GRINNING FACE}.json", 'a "set".json', "3", "true"])
def test_a_label_sets_file_is_taken_as_it_is_called(tmp_path: Path, name: str) -> None:
    write_gallery(tmp_path / "photos", 40, ("calm", "proud"))
    (tmp_path / name).write_text('{"name": "mine", "emotions": ["calm", "proud"]}')
    code, text = inspected("--data", tmp_path / "photos", "--taxonomy", tmp_path / name, "--set", "loss.w=0")
    assert (code, "label set mine" in text) == (0, True)


def test_a_folder_without_labels_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(0))
    (tmp_path / "labels.csv").write_text("path,label\na.png,awe\n")
    code, text = inspected("--data", tmp_path)
    assert code == 1
    assert "training would fail: looked for folders named after emotions" in text
    assert "labels.csv has the columns path, label: name it itself" in text


def test_votes_are_counted_and_a_set_without_sides_is_said(tmp_path: Path) -> None:
    write_gallery(tmp_path, 24, ("calm", "proud"))
    rows = [f"{path.relative_to(tmp_path)},{1 + i % 2},{2 - i % 2}" for i, path in enumerate(tmp_path.glob("*/*.png"))]
    (tmp_path / "votes.csv").write_text("\n".join(["file,calm,proud", *rows]) + "\n")
    sets = ("--set", "network.sv_init=random", "--taxonomy", "ads-30")
    code, text = inspected("--data", tmp_path, "--layout", "votes", *sets)
    assert code == 0
    assert "24 pictures to use, 24 with votes" in text
    assert "has not two sides" in text


def test_the_sheet_shows_whole_pictures_in_the_row_of_their_emotion(tmp_path: Path) -> None:
    """By its tiles: paper where there is no picture, and the same sheet every time."""
    write_gallery(tmp_path / "photos", 2 * (COLUMNS + 3))
    samples = [s for s in read_samples(tmp_path / "photos", MIKELS).samples if MIKELS.names[s.label] == "awe"]
    samples += [Sample(tmp_path / "gone.png", MIKELS.index("fear"), "x")]
    for name in ("one.png", "two.png"):
        write_contact_sheet(tmp_path / name, samples, MIKELS)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as sheet:
        step, middle = TILE_PX + GAP_PX, TILE_PX // 2
        across = [sheet.width - COLUMNS * step + column * step + middle for column in range(COLUMNS)]
        down = [GAP_PX + row * step + middle for row in range(8)]
        pixels = [[sheet.getpixel((x, y)) for x in across] for y in down]
    paper = tuple(bytes.fromhex(PAPER[1:]))
    shown = {name: sum(pixel != paper for pixel in row) for name, row in zip(MIKELS.names, pixels, strict=True)}
    assert shown == dict.fromkeys(MIKELS.names, 0) | {"awe": COLUMNS, "fear": 1}


def test_label_sets_are_listed_with_their_emotions() -> None:
    text = CliRunner().invoke(app, ["taxonomies"]).output
    for name in ("ads-30", "emotion6", "emotion6-neutral", "mikels", "plutchik"):
        assert f"{name}: {len(read_taxonomy(name).names)} emotions" in text
    sets = json.loads(CliRunner().invoke(app, ["taxonomies", "--json"]).output)
    assert [one["name"] for one in sets] == ["ads-30", "emotion6", "emotion6-neutral", "mikels", "plutchik"]
