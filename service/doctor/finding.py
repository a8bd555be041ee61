"""What the doctor says of one thing it looked at."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from emotion.command_line import explain, how_to_install


class Status(StrEnum):
    """How it stands with it; the values appear in `--json`."""

    OK = "ok"
    WARNING = "warning"
    """The service would run, but something may surprise somebody later."""
    FAILED = "failed"
    """The service would not run, or not as it was told to."""


class Finding(NamedTuple):
    """One line of the report."""

    check: str
    status: Status
    found: str
    remedy: str | None = None
    """What to do; given unless the status is ok."""


Findings = Iterator[Finding]


def ok(check: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(check, Status.OK, found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """Something to know."""
    return Finding(check, Status.WARNING, found, remedy)


def failed(check: str, found: str, remedy: str) -> Finding:
    """Something to mend first."""
    return Finding(check, Status.FAILED, found, remedy)


def guarded(check: str, remedy: str, look: Callable[[], Iterable[Finding]]) -> Findings:
    """The findings of a look; an error in it, whichever, is a finding too: the next look shall take place."""
    try:
        yield from look()
    except ModuleNotFoundError as error:
        yield failed(check, f"not looked at without the package {error.name}", how_to_install(str(error.name)))
    except Exception as error:
        yield failed(check, explain(error), remedy)
