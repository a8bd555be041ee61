import os
from io import BytesIO

import pytest
from PIL import Image

from benchmarks import overload
from benchmarks.bare import Stages, open_stages, throughput
from benchmarks.command import forget_settings
from benchmarks.decode import reduced_decoders
from benchmarks.load import Load
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
    assert stages.search(stages.snapshot.vectors[7:9]) == 2
    assert store.catalog.get(stages.snapshot.ids[7]).label is not None


def test_a_search_that_fails_is_not_counted(tmp_path, shipped_bundle) -> None:
    store = made_up_store(tmp_path / "store", load_bundle(shipped_bundle), 50)
    stages = open_stages(shipped_bundle, store.root)
    broken = Stages(stages.predictor, None, stages.snapshot, stages.settings)  # no catalog to ask
    with pytest.raises(AttributeError, match="catalog"):
        throughput(broken, jpegs(2, (64, 48)), seconds=0.01)


def test_overload_without_a_refusal_is_not_a_quick_refusal() -> None:
    def load(per_s: float, refused_p50_ms: float) -> Load:
        return Load(per_s, 0.0, 0, 10.0, 20.0, refused_p50_ms, 0.1)

    silent = overload.Round(load(10.0, float("nan")), load(9.5, float("nan")), 300.0)
    share, refusal, memory = overload._rows([silent, silent])
    assert share.measured == pytest.approx(95)
    assert (refusal.measured, refusal.detail) == (None, "nothing was refused")
    assert memory.measured == 1
    refusing = silent._replace(overload=load(9.5, 20.0))
    assert overload._rows([silent, refusing])[1].measured == 20.0
    assert not overload._REFUSAL.is_reached(20.0)  # "in less than 20 ms"


def test_settings_of_the_environment_do_not_reach_the_service(monkeypatch) -> None:
    monkeypatch.setenv("FEELALIKE_PRECISION", "bf16")
    monkeypatch.setenv("FEELALIKE_TEST_DATA", "somewhere")
    forget_settings()
    assert "FEELALIKE_PRECISION" not in os.environ
    assert "FEELALIKE_TEST_DATA" in os.environ


def test_made_up_vectors_must_fit_the_bundle(tmp_path) -> None:
    with pytest.raises(ConfigError, match="680"):
        made_up_store(tmp_path / "store", tiny_bundle(tmp_path / "bundle"), 10)
