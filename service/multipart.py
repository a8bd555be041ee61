"""The one file of a multipart form, collected in memory; everything else in the form is skipped.

Starlette's own parser writes files above a megabyte to disk, through a thread for every chunk, and takes a form that
breaks off in the middle for a whole one. Ours is bounded by whoever feeds it.
"""

from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import MalformedBodyError

FIELD: Final = "file"
MAX_PARTS: Final = 8
_HINT = f"try curl -F {FIELD}=@picture.jpg"


class FormFile:
    """Takes a form chunk by chunk; raises MalformedBodyError as soon as it is seen to be broken.

    Args:
        content_type: the request's header, with the boundary.
    """

    def __init__(self, content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise MalformedBodyError("the multipart body has no boundary; let the HTTP client set Content-Type itself")
        self._files: list[bytearray] = []
        self._has_text = False
        self._n_parts = 0
        self._is_complete = False
        self._wanted = False
        self._header_name = self._header_value = self._disposition = b""
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise _broken(error) from error

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _broken(error) from error

    def content(self) -> bytes:
        """The file, after the last chunk; its name is never looked at: it is whatever the client likes."""
        if not self._is_complete:
            raise MalformedBodyError("the multipart body breaks off before its closing boundary")
        if len(self._files) > 1:
            raise MalformedBodyError(f"the form has {len(self._files)} parts `{FIELD}`; send one picture a request")
        if self._files:
            return bytes(self._files[0])
        if self._has_text:
            raise MalformedBodyError(f"the part `{FIELD}` is a text field; send a file: {_HINT}")
        raise MalformedBodyError(f"the form has no part named `{FIELD}`; {_HINT}")

    def _on_part_begin(self) -> None:
        self._n_parts += 1
        if self._n_parts > MAX_PARTS:
            raise MalformedBodyError(f"the form has more than {MAX_PARTS} parts")
        self._wanted = False
        self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
        options = parse_options_header(self._disposition)[1]
        if options.get(b"name") != FIELD.encode():
            return
        self._wanted = b"filename" in options
        if self._wanted:
            self._files.append(bytearray())
        else:
            self._has_text = True

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            self._files[-1] += data[start:end]

    def _on_end(self) -> None:
        self._is_complete = True


def _broken(error: FormParserError) -> MalformedBodyError:
    return MalformedBodyError(f"the multipart body is broken: {error}")
