import time

import pytest

from emotion.bundle import file_sha256
from index.digest import _BLOCK_BYTES, gentle_sha256


@pytest.mark.parametrize("size", [0, 1, _BLOCK_BYTES, 2 * _BLOCK_BYTES + 7])
def test_the_same_hash_as_in_one_go(tmp_path, size):
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    assert gentle_sha256(file) == file_sha256(file)


def test_most_of_the_time_nothing_is_done(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(bytes(3 * _BLOCK_BYTES))
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(time, "thread_time", iter([0.0, 1.0, 3.0, 6.0]).__next__)  # blocks of 1, 2 and 3 seconds
    gentle_sha256(file)
    assert pauses == [3.0, 6.0, 9.0]
