from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion.errors import PictureError, PictureFault
from emotion.images import PictureLimits, decode, read_picture_bytes, to_rgb8
from fakes import encoded, picture

RED = (200, 30, 40)


def _save(image: Image.Image, fmt: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def _red(mode: str, fmt: str, **options: Any) -> bytes:
    return _save(Image.new("RGB", (20, 10), RED).convert(mode), fmt, **options)


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        pytest.param(_red("RGB", "JPEG", quality=95), 4, id="jpeg"),
        pytest.param(_red("RGB", "PNG"), 0, id="png"),
        pytest.param(_red("RGB", "WEBP", lossless=True), 0, id="webp"),
        pytest.param(_red("CMYK", "JPEG", quality=95), 6, id="cmyk"),
        pytest.param(_save(Image.new("RGB", (20, 10), RED).quantize(4), "PNG"), 0, id="palette"),
        pytest.param(_red("RGBA", "PNG"), 0, id="opaque alpha"),
        pytest.param(_red("RGB", "JPEG", progressive=True, quality=95), 4, id="progressive"),
    ],
)
def test_every_kind_of_red_is_red(data: bytes, tolerance: int) -> None:
    decoded = decode(data)
    assert decoded.mode == "RGB"
    assert decoded.size == (20, 10)
    assert np.abs(to_rgb8(decoded).astype(int) - RED).max() <= tolerance


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_grey_stays_grey(mode: str) -> None:
    pixels = to_rgb8(decode(_save(Image.new("L", (8, 8), 255).convert(mode), "PNG")))
    assert (pixels == 255).all()


def test_16_bit_grey_is_scaled_and_not_clipped_to_white() -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    pixels = to_rgb8(decode(_save(Image.fromarray(ramp), "PNG")))
    assert np.array_equal(pixels[..., 0], np.rint(ramp / 257))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_lies_on_white(mode: str) -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0)).convert(mode)
    assert (to_rgb8(decode(_save(clear, "PNG"))) == 255).all()


def test_transparent_palette_lies_on_white() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    assert (to_rgb8(decode(_save(image, "PNG", transparency=0))) == 255).all()


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(fmt: str) -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste((0, 0, 0), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the left side is the top
    upright = decode(_save(image, fmt, exif=exif))
    assert upright.size == (20, 40)
    pixels = to_rgb8(upright)
    assert pixels[:15].mean() < 40
    assert pixels[25:].mean() > 215


@pytest.mark.parametrize("tag", [0x0100, 0x0131, 0x011A])
def test_malformed_exif_does_not_refuse_a_good_picture(tag: int) -> None:
    import struct

    entries = struct.pack("<HHII", 0x0112, 3, 1, 6) + struct.pack("<HHI4s", tag, 2, 4, b"abc\0")
    tiff = b"II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0)
    upright = decode(_save(Image.new("RGB", (40, 20)), "JPEG", exif=b"Exif\0\0" + tiff))
    assert upright.size == (20, 40)


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    data = _save(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert to_rgb8(decode(data))[0, 0].tolist() == [255, 0, 0]


def test_a_large_jpeg_is_decoded_reduced_but_never_below_what_is_wanted() -> None:
    data = encoded(1, "JPEG", size=(1600, 1200))
    assert decode(data).size == (1600, 1200)
    reduced = decode(data, min_side=256)
    assert reduced.size == (400, 300)
    assert decode(encoded(1, "JPEG", size=(300, 200)), min_side=256).size == (300, 200)


def test_a_reduced_jpeg_looks_the_same() -> None:
    data = encoded(2, "JPEG", size=(1024, 1024), quality=95)
    reduced = decode(data, min_side=256)
    direct = picture(2, (1024, 1024)).resize(reduced.size, Image.Resampling.BOX)
    assert np.abs(to_rgb8(reduced).astype(int) - to_rgb8(direct)).mean() < 2


def _png_header(width: int, height: int) -> bytes:
    """A valid PNG that states a size it does not hold."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(b"", PictureFault.EMPTY, id="empty"),
        pytest.param(b"hello", PictureFault.UNSUPPORTED_FORMAT, id="text"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", PictureFault.UNSUPPORTED_FORMAT, id="svg"),
        pytest.param(_red("RGB", "GIF"), PictureFault.UNSUPPORTED_FORMAT, id="gif"),
        pytest.param(_red("RGB", "TIFF"), PictureFault.UNSUPPORTED_FORMAT, id="tiff"),
        pytest.param(encoded(1, "JPEG")[:300], PictureFault.UNDECODABLE, id="truncated jpeg"),
        pytest.param(encoded(1, "PNG")[:200], PictureFault.UNDECODABLE, id="truncated png"),
        pytest.param(encoded(1, "WEBP")[:60], PictureFault.UNDECODABLE, id="truncated webp"),
        pytest.param(_png_header(9000, 9000), PictureFault.TOO_MANY_PIXELS, id="81 megapixels"),
        pytest.param(_png_header(10_000, 10_000), PictureFault.TOO_MANY_PIXELS, id="above Pillow's warning"),
        pytest.param(_png_header(50_000, 50_000), PictureFault.TOO_MANY_PIXELS, id="above Pillow's limit"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(data: bytes, fault: PictureFault) -> None:
    with pytest.raises(PictureError) as caught:
        decode(data, name="upload")
    assert caught.value.fault is fault
    assert "upload" in str(caught.value)


def test_bytes_are_limited() -> None:
    with pytest.raises(PictureError, match="limit is 10") as caught:
        decode(encoded(1), limits=PictureLimits(max_bytes=10))
    assert caught.value.fault is PictureFault.TOO_MANY_BYTES


def test_a_file_is_measured_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "big.png"
    path.write_bytes(b"x" * 11)
    with pytest.raises(PictureError, match=r"big\.png has 11 bytes"):
        read_picture_bytes(path, PictureLimits(max_bytes=10))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"gone\.png") as caught:
        read_picture_bytes(tmp_path / "gone.png")
    assert caught.value.fault is PictureFault.UNREADABLE
