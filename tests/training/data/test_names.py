"""How data is called in reports."""

from pathlib import Path

import pytest

from training.data.names import source_name, source_names


@pytest.mark.parametrize(
    ("given", "name"),
    [("photos", "photos"), (".", "here"), ("..", "above"), ("photos/..", "here"), ("a/b.csv", "b.csv"), ("/", "/")],
)
def test_every_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, name: str) -> None:
    here = tmp_path / "above" / "here"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    assert source_name(Path(given)) == name


def test_a_link_keeps_its_own_name_and_home_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nice").symlink_to(tmp_path / "disk-3")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert source_name(Path("~/nice")) == "nice"
    assert source_name(Path("~")) == tmp_path.name


def test_where_names_are_equal_the_paths_tell_them_apart() -> None:
    here = Path.cwd()
    sources = [Path("a/photos"), Path("b/photos"), Path("noise"), Path("paintings")]
    whole = [str(here / source) for source in sources[:3]]
    assert source_names(sources, taken=["noise"]) == [*whole, "paintings"]
