"""Every error that a call may end with.

ClientError
├── NoAnswerError            no connection, or it broke, or took too long
├── UnexpectedAnswerError    an answer that no service of ours gives
├── WaitTimeoutError         what was waited for is not over (also a TimeoutError)
├── JobError                 a rebuild or compaction failed or was cancelled; `.job` says why
└── ProblemError             the service refused: `.status`, `.code`, `.detail`, `.request_id`
    ├── PictureRefusedError  empty, too large, or no picture that can be decoded
    ├── InvalidRequestError  anything else that is wrong with the request
    ├── UnauthorizedError    no token, or a wrong one
    ├── NotFoundError        no such picture or job
    ├── ConflictError        something else is going on; `.job_id` where that is a job
    ├── UnavailableError     too busy or not ready; `.retry_after_s` says when to come back
    └── ServerError          the service's own fault
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from feelalike.models import ItemProblem, Job

PICTURE_CODES: Final = frozenset(
    {"empty_picture", "picture_too_large", "unsupported_format", "too_many_pixels", "undecodable_picture"}
)
"""What is wrong with one picture and no other of a batch."""


class ClientError(Exception):
    """Base of all errors of the client."""


class NoAnswerError(ClientError):
    """No connection, or it broke, or took too long; the cause is chained."""


class UnexpectedAnswerError(ClientError):
    """An answer that no service of ours gives; most often the base URL is that of something else."""


class WaitTimeoutError(ClientError, TimeoutError):
    """What was waited for is not over; it goes on."""


class JobError(ClientError):
    """A rebuild or a compaction failed or was cancelled; the index before stays."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"the {job.kind} {job.id} {job.state}: {job.error or 'without a reason'}")
        self.job = job


class ProblemError(ClientError):
    """The service refused, with application/problem+json (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after_s: float | None = None) -> None:
        self.status = status
        self.code = str(problem.get("code") or f"http_{status}")
        """Stable, for programs; `http_` and the status where something before the service answered."""
        self.title = str(problem.get("title") or "")
        self.detail = str(problem.get("detail") or "")
        request_id = problem.get("request_id")
        self.request_id = None if request_id is None else str(request_id)
        """Under which the service's log tells more."""
        self.problem = dict(problem)
        self.retry_after_s = retry_after_s
        request = f" (request {self.request_id})" if self.request_id else ""
        super().__init__(f"{status} {self.code}: {self.detail or self.title}{request}")

    def as_item(self) -> ItemProblem:
        """The same as it stands beside the other pictures of a batch."""
        return ItemProblem(title=self.title, status=self.status, detail=self.detail, code=self.code)


class PictureRefusedError(ProblemError):
    """Empty, too large, or no picture that can be decoded."""


class InvalidRequestError(ProblemError):
    """Anything else that is wrong with the request."""


class UnauthorizedError(ProblemError):
    """No token, or a wrong one."""


class NotFoundError(ProblemError):
    """No such picture or job."""


class ConflictError(ProblemError):
    """Something else is going on, or the external id is taken."""

    @property
    def job_id(self) -> str | None:
        """The job that runs, where that is the conflict."""
        job_id = self.problem.get("job_id")
        return None if job_id is None else str(job_id)


class UnavailableError(ProblemError):
    """Too busy or not ready, after all attempts."""


class ServerError(ProblemError):
    """The service's own fault."""


_BY_STATUS: Final[Mapping[int, type[ProblemError]]] = {
    401: UnauthorizedError,
    404: NotFoundError,
    409: ConflictError,
    429: UnavailableError,
    503: UnavailableError,
}


def problem_error(
    status: int, content: bytes, request_id: str | None = None, retry_after_s: float | None = None
) -> ProblemError:
    """The error of a refusal.

    Args:
        status: 400 or more.
        content: of the answer; what is not JSON, as a proxy's own page, says nothing.
        request_id: of the header, for an answer without it.
        retry_after_s: of the header.
    """
    problem = {"request_id": request_id} | _parsed(content)
    default = InvalidRequestError if status < 500 else ServerError
    kind = PictureRefusedError if problem.get("code") in PICTURE_CODES else _BY_STATUS.get(status, default)
    return kind(status, problem, retry_after_s)


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(content)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
