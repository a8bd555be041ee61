"""Which weights a row starts from, told by their content: a path says neither that they are the same nor another."""

from functools import cache
from pathlib import Path

from emotion.bundle import file_sha256


def named_weights(path: Path | None) -> str | None:
    """What a row's settings record of a file of weights; its path where there is none, which the row then says."""
    return None if path is None else _named(path.expanduser().absolute())


@cache
def _named(path: Path) -> str:
    return f"sha256:{file_sha256(path)}" if path.is_file() else str(path)
