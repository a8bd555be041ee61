"""One call through all its attempts: what both clients do after each answer, and where there is none."""

import random
from typing import Any, Generic, TypeVar

import httpx2

from feelalike.calls import Call
from feelalike.errors import NoAnswerError, NotFoundError, ProblemError, UnexpectedAnswerError, problem_error
from feelalike.retries import Retries, read_retry_after

A = TypeVar("A")

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_BROKEN = (httpx2.NetworkError, httpx2.RemoteProtocolError)
_REFUSED_AT_THE_DOOR = frozenset({429})
_TEMPORARY = frozenset({429, 502, 503, 504})


class Exchange(Generic[A]):
    """Decides; whoever holds it sends and waits.

    Args:
        call: what is asked.
        retries: how often.
        rng: of the waits.
    """

    def __init__(self, call: Call[A], retries: Retries, rng: random.Random) -> None:
        self._call = call
        self._retries = retries
        self._rng = rng
        self._n_made = 0
        self._is_answer_lost = False

    def failed(self, error: httpx2.TransportError) -> float:
        """There was no answer: seconds to wait before the next attempt; raises NoAnswerError when there is none."""
        was_sent = not isinstance(error, _NEVER_SENT)
        may_repeat = isinstance(error, _BROKEN) and self._call.is_repeatable
        self._is_answer_lost |= was_sent
        wait_s = self._wait_s(may_repeat or not was_sent)
        if wait_s is None:
            reason = str(error) or type(error).__name__
            raise NoAnswerError(f"no answer to {self._call.method} {self._call.path}: {reason}") from error
        return wait_s

    def answered(self, response: httpx2.Response) -> float | None:
        """None where it is the answer, else the seconds to wait before the next attempt; raises ProblemError."""
        status = response.status_code
        if status < 400:
            return None
        headers = response.headers
        retry_after_s = read_retry_after(headers.get("Retry-After"))
        error = problem_error(status, response.content, headers.get("X-Request-ID"), retry_after_s)
        if self._is_gone_already(error):
            return None
        may_repeat = status in (_TEMPORARY if self._call.is_repeatable else _REFUSED_AT_THE_DOOR)
        wait_s = self._wait_s(may_repeat, retry_after_s)
        if wait_s is None:
            raise error
        return wait_s

    def read(self, response: httpx2.Response) -> A:
        """What the answer says; raises UnexpectedAnswerError."""
        if response.is_redirect:
            target = response.headers.get("Location")
            raise UnexpectedAnswerError(f"{response.request.url} redirects to {target}; give the address behind it")
        try:
            return self._call.read(response.content)
        except ValueError as error:
            url = response.request.url
            raise UnexpectedAnswerError(f"{url} did not answer as the service does; is the base URL right?") from error

    def _is_gone_already(self, error: ProblemError) -> bool:
        """A deletion whose answer got lost, and that was done: what it took away is not there the second time."""
        is_deletion = self._call.method == "DELETE" and self._call.path.startswith("/images/")
        return is_deletion and self._is_answer_lost and isinstance(error, NotFoundError)

    def _wait_s(self, may_repeat: bool, retry_after_s: float | None = None) -> float | None:
        self._n_made += 1
        if not may_repeat or self._call.is_probe:
            return None
        return self._retries.wait_s(self._n_made, retry_after_s, self._rng)


def request_of(call: Call[Any], token: str | None, admin_token: str | None) -> dict[str, Any]:
    """The arguments of httpx2's `request`; where only the admin token is known, it reads too.

    A token as its file has it ends in a newline, which no header may hold.
    """
    bearer = admin_token if call.is_admin or token is None else token
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer.strip()}"}
    given: dict[str, Any] = {"method": call.method, "url": call.path, "params": call.params or None}
    if call.content is not None:
        given["content"] = call.content
        headers["Content-Type"] = "application/octet-stream"
    if call.files:
        given["files"] = call.form
        given["data"] = dict(call.texts)
    return given | {"headers": headers}


def checked_url(base_url: str) -> str:
    """A base URL without the slash at its end; raises ValueError for what is none."""
    if not base_url.startswith(("http://", "https://")):
        raise ValueError(f"the base URL {base_url!r} does not begin with http:// or https://")
    return base_url.rstrip("/")
