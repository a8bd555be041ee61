"""How long to wait for what takes its time."""

import time

from feelalike.errors import JobError, WaitTimeoutError
from feelalike.models import Job

SUCCEEDED = "succeeded"


class Deadline:
    """The end of a wait.

    Args:
        timeout_s: from now; None is never.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._end = None if timeout_s is None else time.monotonic() + timeout_s

    def wait_s(self, wanted_s: float, what: str) -> float:
        """Seconds to wait before looking again; raises WaitTimeoutError once the end has come."""
        if self._end is None:
            return wanted_s
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise WaitTimeoutError(f"waited {self._timeout_s:g} s for {what}")
        return min(wanted_s, left_s)


def succeeded(job: Job) -> Job:
    """A job that is over; raises JobError unless it succeeded."""
    if job.state != SUCCEEDED:
        raise JobError(job)
    return job
