"""What Pillow says of metadata that are no picture's business."""

import sys
import warnings

import pytest
import typer
from PIL import Image

from emotion.command_line import run
from emotion.images import decode
from fakes import encoded


def cut_metadata() -> bytes:
    """A JPEG whose EXIF data says that they go on behind their end."""
    exif = Image.Exif()
    exif[0x010E] = "a description of some length"
    data = encoded(1, "JPEG", exif=exif)
    count = data.index(b"\x01\x0e\x00\x02") + 4
    return data[:count] + b"\x00\x00\xff\xff" + data[count + 4 :]


def test_odd_metadata_of_pictures_are_not_warned_of(monkeypatch):
    """Their texts differ without end, and Python keeps every one that it has shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.warns(UserWarning, match=r"Corrupt|larger than file"):
            decode(cut_metadata())
    app = typer.Typer()
    app.command()(lambda: decode(cut_metadata()) and None)
    monkeypatch.setattr(sys, "argv", ["command"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SystemExit) as ended:
            run(app)
    assert ended.value.code == 0
