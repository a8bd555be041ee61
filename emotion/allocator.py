"""What the C library does with memory that is freed."""

from typing import Final

_MOST_BYTES: Final = 32 * 2**20 - 2**16
"""Glibc raises its limit no further than to 32 MiB; the block has a few bytes more than asked for."""


def keep_freed_blocks() -> None:
    """Let blocks of a picture's size be used again, in place of being mapped and given back for every picture.

    Glibc maps blocks above a limit one by one, and every page of one costs a fault when it is first written: a thread
    that decodes 640x480 pixels loses a tenth to a fifth of its time so. The limit is 128 KiB at first and rises to the
    size of whatever larger block is freed (mallopt(3), M_MMAP_THRESHOLD); without a large one by chance, this is one.
    Where the C library is another, it does nothing.
    """
    bytearray(_MOST_BYTES)  # freed at once; none of its pages was ever there
