"""Pictures made to do harm, and odd ones that are none: each gets its answer, and the next request a good one."""

import contextlib
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from emotion.errors import PictureError
from emotion.images import decode
from fakes import encoded

PNG = encoded(3)
MB = 2**20
ROUTES = ("/classify", "/search")


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, body: bytes, *extra: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def png_bomb(width: int, height: int) -> bytes:
    """All the pixels it states, in a thousandth of the bytes."""
    rows = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    return png(width, height, b"".join(rows.compress(row) for _ in range(height)) + rows.flush())


def jpeg_stating(width: int, height: int) -> bytes:
    """A small JPEG whose header states another size."""
    data = bytearray(saved(Image.new("RGB", (16, 16), "red"), "JPEG"))
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_stating(width: int, height: int) -> bytes:
    """Likewise; an extended WebP states its canvas in 24 bits."""
    data = bytearray(saved(Image.new("RGBA", (16, 16), (255, 0, 0, 100)), "WEBP"))
    start = data.index(b"VP8X") + 12
    data[start : start + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(data)


def gif_of(n_frames: int) -> bytes:
    frame = b"\x21\xf9\x04\x00\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00"
    return b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" + frame * n_frames + b";"


def float_tiff() -> bytes:
    return saved(Image.fromarray(np.zeros((8, 8), np.float32)), "TIFF")


RED = Image.new("RGB", (64, 48), "red")
WIDE = Image.new("L", (50_000, 1), 7)

REFUSED = {
    "nothing": (b"", 400, "empty_picture"),
    "one byte": (b"\xff", 415, "unsupported_format"),
    "a JPEG's first two bytes": (b"\xff\xd8", 415, "unsupported_format"),
    "zeros": (bytes(10_000), 415, "unsupported_format"),
    "a PNG's signature alone": (b"\x89PNG\r\n\x1a\n", 415, "unsupported_format"),
    "a truncated JPEG": (saved(RED, "JPEG")[:-200], 422, "undecodable_picture"),
    "a truncated PNG": (PNG[:-30], 422, "undecodable_picture"),
    "a truncated WebP": (saved(RED, "WEBP")[:-20], 422, "undecodable_picture"),
    "a PNG without pixels": (png(64, 64, zlib.compress(b"")), 422, "undecodable_picture"),
    "a PNG 0 pixels wide": (png(0, 10, zlib.compress(b"")), 415, "unsupported_format"),
    "a PNG with a flipped bit": (PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:], 422, "undecodable_picture"),
    "a PNG bomb of 61 megapixels": (png_bomb(61_000, 1000), 422, "too_many_pixels"),
    "a PNG of 2^31 by 2^31": (png(2**31 - 1, 2**31 - 1, zlib.compress(b"")), 422, "too_many_pixels"),
    "a JPEG with sides of 65500": (jpeg_stating(65_500, 65_500), 422, "too_many_pixels"),
    "a WebP stating 2^14 by 2^14": (webp_stating(16_383, 16_383), 422, "too_many_pixels"),
    "a text in a PNG that unpacks to 100 MB": (
        png(1, 1, zlib.compress(bytes(4)), chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(100 * MB)))),
        422,
        "undecodable_picture",
    ),
    "a GIF of 10,000 frames": (gif_of(10_000), 415, "unsupported_format"),
    "a TIFF of floats": (float_tiff(), 415, "unsupported_format"),
    "a TIFF stating 2^31 pixels": (
        b"II*\x00\x08\x00\x00\x00\x02\x00"
        + struct.pack("<HHII", 256, 4, 1, 2**31 - 1)
        + struct.pack("<HHII", 257, 4, 1, 2**31 - 1),
        415,
        "unsupported_format",
    ),
    "a zip": (b"PK\x03\x04" + bytes(100), 415, "unsupported_format"),
    "a script": (b"<script>alert(1)</script>", 415, "unsupported_format"),
    "a PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "unsupported_format"),
}

TAKEN = {
    "1 x 1": png(1, 1, zlib.compress(bytes(4))),
    "50,000 x 1": saved(WIDE, "PNG"),
    "1 x 50,000": saved(WIDE.transpose(Image.Transpose.ROTATE_90), "PNG"),
    "a JPEG 65,500 wide": saved(Image.new("L", (65_500, 2), 7), "JPEG"),
    "CMYK": saved(RED.convert("CMYK"), "JPEG"),
    "CMYK of Adobe's kind": saved(RED.convert("CMYK"), "JPEG", quality=50, subsampling=0),
    "16 bits": saved(Image.fromarray(np.full((9, 9), 40_000, np.uint16)), "PNG"),
    "1 bit": saved(RED.convert("1"), "PNG"),
    "a palette with alpha": saved(RED.convert("RGBA").quantize(8), "PNG", transparency=bytes(8)),
    "grey with alpha": saved(RED.convert("LA"), "PNG"),
    "a colour profile that is none": saved(RED, "JPEG", icc_profile=b"no profile" * 10),
    "EXIF that is none": saved(RED, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"),
    "a progressive JPEG": saved(RED, "JPEG", progressive=True),
    "an animated WebP": saved(RED, "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 48))] * 3),
    "a JPEG and a zip": saved(RED, "JPEG") + b"PK\x03\x04" + bytes(100),
    "a PNG and a script": PNG + b"<script>alert(1)</script>",
}


def test_harm_is_refused_and_costs_no_other(client, problem, subtests):
    for name, (data, status, code) in REFUSED.items():
        with subtests.test(name):
            for route in ROUTES:
                problem(client.post(route, content=data, headers={"Content-Type": "image/jpeg"}), status, code)
                problem(client.post(route, files={"file": ("../../etc/passwd\r\n.jpg", data)}), status, code)
            assert client.post("/classify", content=PNG).status_code == 200


@pytest.mark.filterwarnings("ignore:.*EXIF:UserWarning")
def test_what_is_merely_odd_is_answered(client, subtests):
    for name, data in TAKEN.items():
        with subtests.test(name):
            for route in ROUTES:
                answer = client.post(route, content=data)
                assert answer.status_code == 200, answer.text


def test_no_number_of_neighbours_that_cannot_be(client, problem, subtests):
    for k in ("0", "-1", "1000000000", "NaN", "1.5", "", "10; drop", "9" * 5000):
        with subtests.test(k[:20]):
            problem(client.post("/search", params={"k": k}, content=PNG), 422, "invalid_parameter")


def test_ids_that_no_picture_has(client, subtests):
    ids = ("..%2f..%2fetc%2fpasswd", "%00", "a" * 5000, "0" * 32, "x%0d%0aSet-Cookie:a=b", "'; DROP TABLE pictures")
    for item_id in ids:
        for path in (f"/images/{item_id}", f"/images/{item_id}/thumbnail", f"/images/{item_id}/neighbours"):
            with subtests.test(path[:40]):
                answer = client.get(path)
                assert answer.status_code == 404
                assert answer.headers["Content-Type"] == "application/problem+json"
                assert "Set-Cookie" not in answer.headers


MEASURE = """
import contextlib, re, sys
from pathlib import Path
from emotion.errors import PictureError
from emotion.images import PictureLimits, decode
folder, max_pixels = Path(sys.argv[1]), int(sys.argv[2])
peak_mb = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
decode((folder / "good").read_bytes())
before = peak_mb()
for file in sorted(folder.iterdir()):
    with contextlib.suppress(PictureError):
        decode(file.read_bytes(), limits=PictureLimits(max_pixels=max_pixels))
print(peak_mb() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is there on Linux alone")
def test_what_is_refused_is_not_unpacked_first(tmp_path):
    (tmp_path / "good").write_bytes(PNG)
    for number, (data, _, _) in enumerate(REFUSED.values()):
        (tmp_path / str(number)).write_bytes(data)

    def extra_mb(max_pixels: int) -> float:
        command = [sys.executable, "-c", MEASURE, str(tmp_path), str(max_pixels)]
        root = Path(__file__).parents[2]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root, timeout=60)
        return float(done.stdout)

    # Neither the 61 megapixels, which are 183 MB, nor the 100 MB of text; with a limit above, the bomb goes off.
    assert extra_mb(60_000_000) < 40
    assert extra_mb(62_000_000) > 170


MAKERS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(RED, "JPEG"),
    "png": lambda: PNG,
    "webp": lambda: saved(RED, "WEBP"),
    "exif": lambda: saved(RED, "JPEG", exif=Image.Exif()),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), kind=st.sampled_from(sorted(MAKERS)))
def test_damaged_bytes_give_a_picture_or_a_picture_error(data, kind):
    damaged = bytearray(MAKERS[kind]())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        match data.draw(st.sampled_from(("set", "cut", "repeat"))):
            case "set":
                damaged[place] = data.draw(st.integers(0, 255))
            case "cut":
                del damaged[place : place + data.draw(st.integers(1, 40))]
            case "repeat":
                damaged[place:place] = damaged[place : place + 16]
        if not damaged:
            break
    with contextlib.suppress(PictureError):
        assert decode(bytes(damaged), min_side=8).mode == "RGB"
