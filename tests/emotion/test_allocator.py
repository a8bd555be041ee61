import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import numpy as np
from emotion.allocator import keep_freed_blocks
keep_freed_blocks()
def faults():
    for _ in range(50):
        np.ones(2_000_000, np.uint8)  # a mapped block would have 489 pages, each written for the first time
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
first = faults()
print(faults() - first)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc maps large blocks one by one so")
def test_blocks_of_a_picture_are_used_again():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 50
