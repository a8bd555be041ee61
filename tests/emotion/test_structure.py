"""Pictures whose bytes and pixels are few and whose decoding would take minutes are refused; real ones are not."""

import random
import struct
import zlib

import pytest

from emotion.errors import PictureError, PictureFault
from emotion.images import decode
from emotion.structure import MOST_CHUNKS, MOST_SCANS, MOST_SEGMENTS, excess
from fakes import encoded

SEGMENT = b"\xff\xe9\x00\x02"
MARKER_IN_A_COMMENT = b"\xff\xfe\x01\x02" + b"\xff\xda" * 128


def jpeg(**options) -> bytes:
    return encoded(3, "JPEG", size=(64, 48), **options)


def with_scans(n: int) -> bytes:
    """A progressive JPEG of n scans, the last one again and again."""
    data = jpeg(progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (n - data.count(b"\xff\xda")) + b"\xff\xd9"


def with_chunks(n: int) -> bytes:
    """A PNG of n chunks."""
    data = encoded(3)
    chunk = struct.pack(">I", 0) + b"vpAg" + struct.pack(">I", zlib.crc32(b"vpAg"))
    n_own = 3  # IHDR, IDAT, IEND
    return data[:33] + chunk * (n - n_own) + data[33:]


TOO_MUCH = {
    "scans": (with_scans(MOST_SCANS + 1), "more than 100 scans"),
    "segments": (jpeg()[:2] + SEGMENT * MOST_SEGMENTS + jpeg()[2:], "more than 5000 segments"),
    "segments without end": (b"\xff\xd8" + SEGMENT * 2 * MOST_SEGMENTS, "more than 5000 segments"),
    "chunks": (with_chunks(MOST_CHUNKS + 1), "more than 50000 chunks"),
}


@pytest.mark.parametrize(("data", "message"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_would_take_minutes_is_refused(data, message):
    with pytest.raises(PictureError, match=message) as caught:
        decode(data)
    assert caught.value.fault is PictureFault.UNDECODABLE


REAL = {
    "baseline": jpeg(),
    "progressive": jpeg(progressive=True),
    "restarts": jpeg(restart_marker_blocks=1),
    "as many scans as may be": with_scans(MOST_SCANS),
    "a comment full of markers": jpeg()[:2] + MARKER_IN_A_COMMENT + jpeg(progressive=True)[2:],
    "a film behind the end, as phones append it": jpeg(progressive=True) + b"\xff\xda\x00\x02" * 1000,
    "png": encoded(3),
    "png of many chunks": with_chunks(5000),
    "webp": encoded(3, "WEBP"),
}


@pytest.mark.parametrize("data", REAL.values(), ids=REAL)
def test_what_pictures_have_is_taken(data):
    assert excess(data) is None
    decode(data)


def test_any_bytes_are_looked_through():
    rng = random.Random(0)
    for head in (b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b""):
        for _ in range(300):
            excess(head + bytes(rng.choice((0, 2, 0xC2, 0xDA, 0xFF)) for _ in range(rng.randrange(60))))
