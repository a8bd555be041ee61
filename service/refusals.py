"""Refusals as the bytes of a whole HTTP answer, for what no app sees."""

import json
from typing import Final

from service.errors import Answer
from service.problems import MEDIA_TYPE, problem_content
from service.records import REQUEST_ID
from service.security_headers import CSP, HeaderList, security_headers

CLOSING: Final = (b"connection", b"close")


def refusal(answer: Answer, detail: str, request_id: str, *more: tuple[bytes, bytes], is_closed: bool = False) -> bytes:
    """A problem as every refusal is one, with the headers of every answer and some more."""
    body = json.dumps(problem_content(answer, detail, request_id), separators=(",", ":")).encode()
    headers: HeaderList = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (REQUEST_ID, request_id.encode()),
        *((name.lower().encode(), value.encode()) for name, value in answer.headers.items()),
        *security_headers(is_closed=is_closed),
        (b"content-security-policy", CSP),
        *more,
    ]
    status = f"HTTP/1.1 {answer.status.value} {answer.status.phrase}".encode()
    return b"\r\n".join((status, *(b": ".join(header) for header in headers), b"", body))
