from io import BytesIO

import pytest
from PIL import Image

from benchmarks.bare import open_stages
from benchmarks.decode import reduced_decoders
from benchmarks.pictures import SMALL, jpegs, write_jpegs
from benchmarks.stores import made_up_store
from emotion.bundle import load_bundle
from emotion.errors import ConfigError, DataError
from fakes import tiny_bundle, write_gallery


def _size(picture: bytes) -> tuple[int, int]:
    return Image.open(BytesIO(picture)).size


def test_pictures_have_the_stated_size_and_are_the_same_every_time(tmp_path) -> None:
    painted = jpegs(3, (320, 240))
    assert {_size(picture) for picture in painted} == {(320, 240)}
    assert len(set(painted)) == 3
    assert painted == jpegs(3, (320, 240))
    assert [path.read_bytes() for path in write_jpegs(tmp_path, 3, (320, 240))] == painted


def test_enlarged_pictures_have_grain() -> None:
    large, flat = jpegs(1, SMALL)[0], BytesIO()
    Image.new("RGB", SMALL, (90, 120, 30)).save(flat, "JPEG", quality=88)
    assert len(large) > 5 * len(flat.getvalue())


def test_photos_of_a_folder(tmp_path) -> None:
    write_gallery(tmp_path / "photos", 2)
    assert {_size(picture) for picture in jpegs(3, (64, 48), tmp_path / "photos")} == {(64, 48)}
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        jpegs(1, SMALL, tmp_path / "empty")


def test_reduced_decoders_keep_the_wanted_side() -> None:
    picture = jpegs(1, (1600, 1200))[0]
    for name, decoder in reduced_decoders(256, (1600, 1200)).items():
        decoded = decoder(picture)
        if name != "Pillow draft":
            assert decoded.shape == (300, 400, 3), name  # 1/4; 1/8 would leave 150 pixels


def test_a_made_up_store_is_searched_as_any_other(tmp_path, shipped_bundle) -> None:
    store = made_up_store(tmp_path / "store", load_bundle(shipped_bundle), 50)
    stages = open_stages(shipped_bundle, store.root)
    assert stages.search(stages.snapshot.vectors[7]) == 10
    assert store.catalog.get(stages.snapshot.ids[7]).label is not None


def test_made_up_vectors_must_fit_the_bundle(tmp_path) -> None:
    with pytest.raises(ConfigError, match="680"):
        made_up_store(tmp_path / "store", tiny_bundle(tmp_path / "bundle"), 10)
