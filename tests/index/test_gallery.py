from pathlib import Path

import pytest

from emotion.errors import DataError
from fakes import encoded, write_gallery
from index.gallery import GalleryRoot, StoreConfig, find_pictures


def test_an_absolute_root_stays_absolute(tmp_path):
    root = GalleryRoot.given(tmp_path / "gallery", tmp_path / "store")
    assert root.path == tmp_path / "gallery"
    assert root.located(tmp_path / "elsewhere") == tmp_path / "gallery"


def test_a_relative_root_moves_with_the_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = GalleryRoot.given(Path("gallery"), tmp_path / "store", "mood")
    assert root == GalleryRoot(path=Path("../gallery"), label_column="mood")
    assert root.located(Path("/moved/store")) == Path("/moved/gallery")


def test_paths_are_kept_as_the_root_is(tmp_path):
    (picture,) = write_gallery(tmp_path / "gallery", 1)
    relative = StoreConfig(roots=(GalleryRoot(path=Path("../gallery")),))
    absolute = StoreConfig(roots=(GalleryRoot(path=tmp_path / "gallery"),))
    assert [found.path for found in find_pictures(tmp_path / "store", relative)] == [Path("../gallery/awe/0000.png")]
    assert [found.path for found in find_pictures(tmp_path / "store", absolute)] == [picture]


def test_roots_come_before_uploads_and_upload_folders_are_no_labels(tmp_path):
    write_gallery(tmp_path / "gallery", 1)
    (tmp_path / "store/uploads/ab").mkdir(parents=True)
    (tmp_path / "store/uploads/ab/cd.png").write_bytes(encoded(9))
    found = find_pictures(tmp_path / "store", StoreConfig(roots=(GalleryRoot(path=tmp_path / "gallery"),)))
    assert [(one.entry.label, one.is_upload) for one in found] == [("awe", False), (None, True)]
    assert found[1].path == Path("uploads/ab/cd.png")


def test_a_root_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere is neither a folder nor a manifest"):
        find_pictures(tmp_path / "store", StoreConfig(roots=(GalleryRoot(path=tmp_path / "nowhere"),)))
