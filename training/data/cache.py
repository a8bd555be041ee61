"""Decoded pictures that worker processes share: what one has decoded, none decodes again."""

import mmap
import multiprocessing

import numpy as np
from PIL import Image


class PictureCache:
    """Room for the pixels of RGB pictures, shared with every process forked from this one.

    Anonymous memory, not /dev/shm: a container gives the latter 64 MB. It costs what is written, not what it holds.
    """

    def __init__(self, n_pictures: int, size_mb: int) -> None:
        self._room = size_mb * 2**20
        self._pixels = memoryview(mmap.mmap(-1, max(1, self._room)))
        # A row per picture: start, width, height; zero while it is not there. One more row: the bytes used.
        places = mmap.mmap(-1, 8 * 3 * (n_pictures + 1))
        self._places = np.frombuffer(places, dtype=np.int64).reshape(n_pictures + 1, 3)
        self._lock = multiprocessing.Lock()

    def get(self, index: int) -> Image.Image | None:
        """A copy of a picture, or None where it is not kept."""
        with self._lock:
            start, width, height = (int(value) for value in self._places[index])
        if width == 0:
            return None
        return Image.frombytes("RGB", (width, height), self._pixels[start : start + 3 * width * height])

    def put(self, index: int, picture: Image.Image) -> None:
        """Keep an RGB picture, if there is room and no other process was faster."""
        pixels = picture.tobytes()
        with self._lock:
            used = int(self._places[-1, 0])
            if self._places[index, 1] or used + len(pixels) > self._room:
                return
            self._pixels[used : used + len(pixels)] = pixels
            self._places[index] = used, *picture.size
            self._places[-1, 0] = used + len(pixels)
