from pathlib import Path

import pytest

from emotion.bundle import load_bundle
from emotion.errors import DataError, RuntimeUnavailableError
from emotion.runtime import Device
from fakes import tiny_bundle
from training.assess import gallery_label_column, leave_out_training_pictures, open_judge
from training.data.layouts import Layout
from training.data.samples import Sample


@pytest.fixture
def no_openvino(monkeypatch):
    """As beside the gpu extra: only torch is installed."""

    def refuse(*_):
        raise RuntimeUnavailableError("inference on the CPU needs openvino")

    monkeypatch.setattr("training.assess.open_runtime", refuse)


def test_a_fit_is_judged_through_torch_where_openvino_is_not_installed(shipped_bundle: Path, no_openvino):
    assert open_judge(load_bundle(shipped_bundle), Device.CPU).runtime.name == "torch"


def test_a_gpu_that_was_asked_for_is_not_replaced(shipped_bundle: Path, no_openvino):
    with pytest.raises(RuntimeUnavailableError):
        open_judge(load_bundle(shipped_bundle), Device.CUDA)


def test_otherwise_it_is_judged_as_it_is_served(shipped_bundle: Path):
    assert open_judge(load_bundle(shipped_bundle), Device.CPU).runtime.name == "openvino"


def test_only_who_may_keep_training_pictures_is_told_so(tmp_path: Path):
    sample = Sample(tmp_path / "a.png", 0, "known")
    bundle = tiny_bundle(tmp_path / "bundle", training_hashes=("known",))
    with pytest.raises(DataError, match=r"every one of these pictures; name others$"):
        leave_out_training_pictures(bundle, [sample])
    with pytest.raises(DataError, match=r"; pass --keep$"):
        leave_out_training_pictures(bundle, [sample], "pass --keep")


@pytest.mark.parametrize(
    ("header", "layout", "expected"),
    [
        ("path,mood", None, "mood"),
        ("path,mood", Layout.MANIFEST, "mood"),
        ("path,label", None, None),
        (None, None, None),
        ("path,mood", Layout.FOLDERS, None),
    ],
)
def test_the_label_column_is_for_a_gallery_that_has_it(tmp_path: Path, header, layout, expected):
    if header is not None:
        (tmp_path / "manifest.csv").write_text(f"{header}\na.png,awe\n")
        assert gallery_label_column(tmp_path / "manifest.csv", "mood", layout) == expected
    assert gallery_label_column(tmp_path, "mood", layout) == expected
    assert gallery_label_column(tmp_path, None, layout) is None
