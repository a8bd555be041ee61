from pathlib import Path

import pytest

from emotion.collection import read_collection
from emotion.errors import DataError


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_class_folders_give_labels_and_loose_pictures_none(tmp_path: Path) -> None:
    _touch(tmp_path, "awe/b.JPG", "awe/deep/a.webp", "loose.png", "awe/notes.txt", ".hidden/c.png", "awe/.d.png")
    found = {str(entry.path.relative_to(tmp_path)): entry.label for entry in read_collection(tmp_path)}
    assert found == {"awe/b.JPG": "awe", "awe/deep/a.webp": "awe", "loose.png": None}


def test_a_manifest_wins_over_folders(tmp_path: Path) -> None:
    _touch(tmp_path, "awe/a.png", "awe/b.png")
    (tmp_path / "manifest.csv").write_text("path,label,title\nawe/a.png,fear,Night\n")
    (entry,) = read_collection(tmp_path)
    assert (entry.path, entry.label, entry.metadata) == (tmp_path / "awe/a.png", "fear", {"title": "Night"})


def test_label_columns(tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("path,labels,mood\na.png,awe|fear,calm\n")
    (entry,) = read_collection(manifest)
    assert entry.labels == ("awe", "fear")
    (entry,) = read_collection(manifest, "mood")
    assert (entry.label, entry.metadata) == ("calm", {"labels": "awe|fear"})


def test_blanks_around_columns_and_labels_do_not_count(tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("path, label ,year\na.png, awe | fear,\nb.png,  ,1920\n")
    first, second = read_collection(manifest)
    assert (first.label, first.labels, first.metadata) == ("awe | fear", ("awe", "fear"), {})
    assert (second.label, second.labels, second.metadata) == (None, (), {"year": "1920"})
    assert read_collection(manifest, "year ")[1].label == "1920"


def test_a_gallery_needs_no_labels(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("path\na.png\n")
    (entry,) = read_collection(tmp_path / "m.csv")
    assert (entry.label, entry.labels) == (None, ())


@pytest.mark.parametrize(
    ("content", "column", "message"),
    [
        ("file,label\na,b\n", None, "no column `path`; it has: file, label"),
        ("path,label\na,b\n", "mood", "no column 'mood'; it has: path, label"),
        ("path,label\n,b\n", None, "line 2: the path is empty"),
        ("", None, "it has: nothing"),
        ("path,title\na.png,sun, sea\n", None, "line 2: more fields than columns"),
        ("path;label\na;b\n", None, "it has: path;label; put commas between the fields"),
        ("path\tlabel\na\tb\n", None, "put commas between the fields"),
    ],
)
def test_a_wrong_manifest_says_what_is_wrong(tmp_path: Path, content: str, column: str | None, message: str) -> None:
    (tmp_path / "m.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_collection(tmp_path / "m.csv", column)


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes("path,label\nä.png,awe\n".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        read_collection(tmp_path / "m.csv")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        read_collection(tmp_path / "nowhere")
