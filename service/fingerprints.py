"""Whether two pictures of the gallery are the same one, resized or compressed again.

The embedding cannot say: it is made to bring pictures of one mood together, whatever they show. A difference hash of
the thumbnail can: it holds, for 16 x 16 places, whether the picture gets brighter to the right.
"""

import threading
from collections import OrderedDict
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from emotion.errors import FeelalikeError
from service.pictures import GalleryFiles

SIDE: Final = 16
SAME_BITS: Final = 24
"""Of 256. Of 1.26 million pairs of 1,586 different photos 3 differ in fewer (two of them are one photo twice, one a
variant); of pictures saved again at JPEG quality 50 to 90 or at a quarter to the whole of their width 98 in 100 do."""
KEPT: Final = 100_000


class Fingerprints:
    """Of the gallery's pictures, made when first asked for; for any number of threads.

    Args:
        files: gives the thumbnails.
    """

    def __init__(self, files: GalleryFiles) -> None:
        self._files = files
        self._kept: OrderedDict[str, int] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def of(self, item_id: str) -> int | None:
        """256 bits; None of a picture whose file is not there."""
        with self._one_at_a_time:
            known = self._kept.get(item_id)
        if known is not None:
            return known
        try:
            made = fingerprint(self._files.thumbnail(item_id))
        except (FeelalikeError, OSError):
            return None
        with self._one_at_a_time:
            self._kept[item_id] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made


def fingerprint(thumbnail: bytes) -> int:
    """The difference hash of an encoded picture."""
    with Image.open(BytesIO(thumbnail)) as picture:
        grey = picture.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX)
    rises = np.diff(np.asarray(grey, dtype=np.int16), axis=1) > 0
    return int.from_bytes(np.packbits(rises).tobytes())


def is_same(one: int, other: int) -> bool:
    """Whether two fingerprints are of one picture."""
    return (one ^ other).bit_count() <= SAME_BITS
