"""A multipart form of several files and a few text fields, collected in memory."""

from typing import Final, NamedTuple

from python_multipart.multipart import parse_options_header

from service.errors import MalformedBodyError
from service.multipart import FIELD, FormFile

MAX_TEXT_BYTES: Final = 64 * 1024
_HINT = f"try curl -F {FIELD}=@first.jpg -F {FIELD}=@second.jpg"


class FormContent(NamedTuple):
    """What a form held."""

    files: list[bytes]
    """In the order in which they came; their names are whatever the client likes."""
    texts: dict[str, str]


class Form(FormFile):
    """Takes a form chunk by chunk, as FormFile does, with any number of files up to a limit.

    Args:
        content_type: the request's header, with the boundary.
        text_fields: names of the fields that may hold text; a misspelt one is refused.
        max_files: more are refused.
    """

    def __init__(self, content_type: str, text_fields: frozenset[str], max_files: int) -> None:
        super().__init__(content_type)
        self._max_files = max_files
        self._text_fields = text_fields
        self._texts: dict[str, bytearray] = {}
        self._part = bytearray()
        self._is_text = False

    def contents(self) -> FormContent:
        """Everything, after the last chunk."""
        if not self._is_complete:
            raise MalformedBodyError("the multipart body breaks off before its closing boundary")
        if not self._files:
            raise MalformedBodyError(f"the form has no file in a part named `{FIELD}`; {_HINT}")
        return FormContent(
            [bytes(file) for file in self._files], {name: _text(name, raw) for name, raw in self._texts.items()}
        )

    def _on_part_begin(self) -> None:
        self._disposition = b""

    def _on_headers_finished(self) -> None:
        options = parse_options_header(self._disposition)[1]
        name = options.get(b"name", b"").decode(errors="replace")
        self._part = bytearray()
        if name == FIELD and b"filename" in options:
            self._files.append(self._part)
            if len(self._files) > self._max_files:
                raise MalformedBodyError(f"the form has more than {self._max_files} files; send them in several forms")
        elif name in self._text_fields and name not in self._texts and b"filename" not in options:
            self._texts[name] = self._part
        else:
            known = ", ".join(f"`{field}`" for field in sorted(self._text_fields))
            raise MalformedBodyError(
                f"the form has a part {name[:40]!r} that is unknown, a file, or there twice; "
                f"it takes files in `{FIELD}`" + (f" and one text each in {known}" if known else "")
            )
        self._is_text = name != FIELD

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._part += data[start:end]
        if self._is_text and len(self._part) > MAX_TEXT_BYTES:
            raise MalformedBodyError(f"a text field of the form has more than {MAX_TEXT_BYTES} bytes")


def _text(name: str, raw: bytearray) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedBodyError(f"the field `{name}` is not UTF-8") from error
