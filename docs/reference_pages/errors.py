"""Every code that a refusal may carry."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from emotion.errors import FeelalikeError, PictureFault
from reference_pages.fields import documented, line
from service.errors import INTERNAL, TABLE, Answer, ReadTokenMissingError

_HEADER: Final = """# Errors

Every refusal is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)):

```json
{
  "type": "urn:feelalike:problem:unsupported_format",
  "title": "Not a JPEG, PNG or WebP picture",
  "status": 415,
  "detail": "picture is not a JPEG, PNG or WebP picture",
  "code": "unsupported_format",
  "request_id": "5f0c2d0c9a6b4d6f"
}
```

`code` is stable and meant for programs, `detail` for people: it says what was wrong and what to do. `request_id` is the
one in the log and in the header `X-Request-ID`. Where the table names seconds, the answer has a `Retry-After` header:
the same request may be sent again after that time.

| code | status | Retry-After | what happened |
|---|---|---|---|
"""
_FOOTER: Final = """
What no route foresees is answered in the same form with the status's own name as its code: `not_found` for an address
that does not exist, `method_not_allowed` for a route that is not asked that way.
"""


class Code(NamedTuple):
    """A line of the page."""

    answer: Answer
    meanings: tuple[str, ...]


def errors_page() -> str:
    """The whole page."""
    return _HEADER + "".join(_row(code) for code in codes()) + _FOOTER


def codes() -> list[Code]:
    """Every code once, by status."""
    found: dict[str, Code] = {}
    for cause, answer in _causes():
        known = found.get(answer.code, Code(answer, ()))
        meaning = _meaning(cause)
        if meaning not in known.meanings:
            found[answer.code] = known._replace(meanings=(*known.meanings, meaning))
    return sorted(found.values(), key=lambda code: (code.answer.status, code.answer.code))


def _causes() -> Iterator[tuple[type[FeelalikeError] | PictureFault | None, Answer]]:
    yield from ((cause, answer) for cause, answer in TABLE.items() if cause is not ReadTokenMissingError)
    yield ReadTokenMissingError, TABLE[ReadTokenMissingError]
    yield None, INTERNAL


def _meaning(cause: type[FeelalikeError] | PictureFault | None) -> str:
    if cause is None:
        return "Something nobody foresaw; the log has the reason under the request id."
    if isinstance(cause, PictureFault):
        return " ".join(documented(PictureFault).get(cause.name, "").split())
    return " ".join((cause.__doc__ or "").split())


def _row(code: Code) -> str:
    wait = code.answer.headers.get("Retry-After", "")
    status = f"{int(code.answer.status)} {code.answer.status.phrase}"
    return line((f"`{code.answer.code}`", status, f"{wait} s" if wait else "", " ".join(code.meanings)))
