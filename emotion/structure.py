"""What an encoded picture is made of: so many parts, or passes over its pixels, that decoding would take minutes.

Bytes and pixels alone do not bound the time. A progressive JPEG goes over all its coefficients once a scan, and a scan
of 60 megapixels that says nothing has 90 bytes and takes a tenth of a second: 20 MB of them take hours. Segments of
JPEG and chunks of PNG are read by Pillow one by one in Python: 20 MB of empty ones take 4 to 6 s.
"""

import re
from typing import Final

MOST_SCANS: Final = 100
"""A progressive JPEG as Pillow and libjpeg write it has 10; 100 scans of 60 megapixels take 11 s."""
MOST_SEGMENTS: Final = 5000
"""20 MB of metadata have 320."""
MOST_CHUNKS: Final = 50_000
"""Of a PNG; 20 MB in the 8 KB that most encoders write have 2,500."""

_MARKER: Final = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])", re.DOTALL)
"""What ends a scan's data: no stuffed zero, no restart, no fill byte."""
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SCAN: Final = 0xDA
_END: Final = 0xD9


def excess(data: bytes) -> str | None:
    """What an encoded picture has too much of, as "more than 100 scans"; None where nothing is."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg_excess(data)
    return _png_excess(data) if data.startswith(b"\x89PNG") else None


def _jpeg_excess(data: bytes) -> str | None:
    n_scans = n_components = 0
    is_progressive = False
    position = 2
    for _ in range(MOST_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None or (marker := found[1][0]) == _END:
            return None
        start = found.end()
        if marker in _FRAMES:
            is_progressive = marker in _PROGRESSIVE
            n_components = _byte(data, start + 7)
        elif marker == _SCAN:
            if not is_progressive and _byte(data, start + 2) >= n_components:
                return None  # libjpeg goes over a picture once whose first scan has it all; most photos end here
            n_scans += 1
            if n_scans > MOST_SCANS:
                return f"more than {MOST_SCANS} scans"
        position = start + max(2, int.from_bytes(data[start : start + 2]))
    return f"more than {MOST_SEGMENTS} segments"


def _png_excess(data: bytes) -> str | None:
    position = 8
    for _ in range(MOST_CHUNKS):
        if position + 8 > len(data) or data[position + 4 : position + 8] == b"IEND":
            return None
        position += 12 + int.from_bytes(data[position : position + 4])
    return f"more than {MOST_CHUNKS} chunks"


def _byte(data: bytes, position: int) -> int:
    """0 behind the end, where a damaged picture may point."""
    return data[position] if position < len(data) else 0
