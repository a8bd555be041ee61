"""What a long build tells whoever started it."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Stage(StrEnum):
    """The parts of a build, in order; the values appear in `--json-progress`."""

    SCAN = "scan"
    EMBED = "embed"
    MAP = "map"
    BUILD = "build"
    PUBLISH = "publish"


class Progress(NamedTuple):
    """How far a stage is, in pictures."""

    stage: Stage
    done: int
    total: int


class Skipped(NamedTuple):
    """A file that could not be used, and why."""

    path: str
    reason: str


OnProgress = Callable[[Progress], None]


def ignore(_event: Progress) -> None:
    """The listener for builds nobody watches."""
