"""Errors of the service, and the one table from every error to its HTTP status and stable `code`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from emotion.errors import (
    DeviceLostError,
    DeviceMemoryError,
    ExternalIdTakenError,
    FeelalikeError,
    PictureError,
    PictureFault,
    QueryError,
    SnapshotCorruptError,
    SnapshotMismatchError,
    StoreLockedError,
    StoreReadError,
    StoreWriteError,
)


class MalformedBodyError(FeelalikeError):
    """A request body that is not what it claims to be, or lacks the picture."""


class UnsupportedContentTypeError(FeelalikeError):
    """A request body of a kind that cannot hold a picture."""


class UploadTimeoutError(FeelalikeError):
    """A picture that did not arrive in time."""


class InvalidParameterError(FeelalikeError):
    """A parameter out of range."""


class UnauthorizedError(FeelalikeError):
    """No token, or a wrong one."""


class ReadTokenMissingError(FeelalikeError):
    """No token, or a wrong one, where even reading needs one."""


class UnknownImageError(FeelalikeError):
    """An id that the gallery does not have."""


class ImageFileMissingError(FeelalikeError):
    """A picture of the gallery whose original has vanished or changed."""


class MapMissingError(FeelalikeError):
    """An index that was made without a map."""


class UnknownJobError(FeelalikeError):
    """An id that no job of this process has."""


class RebuildRunningError(FeelalikeError):
    """A rebuild or compaction was asked for while one runs."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"the index is being rebuilt or compacted already, by the job {job_id}")
        self.job_id = job_id


class NothingToRollBackError(FeelalikeError):
    """There is no earlier version."""


class PageMissingError(FeelalikeError):
    """The files of the web page are not installed."""


class RateLimitedError(FeelalikeError):
    """More requests of one client than it may make."""


class OverloadedError(FeelalikeError):
    """More work than the service accepts at a time."""


class NotReadyError(FeelalikeError):
    """The model or the index is not there (yet)."""


class ModelOutputError(FeelalikeError):
    """The model gave numbers that are not finite."""


class Answer(NamedTuple):
    """How an error is answered."""

    status: HTTPStatus
    code: str
    title: str
    headers: Mapping[str, str] = {}


INTERNAL: Final = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Internal error")
INVALID_PARAMETER: Final = Answer(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_parameter", "Invalid parameter")
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="feelalike admin"'}
_READ_CHALLENGE = {"WWW-Authenticate": 'Basic realm="feelalike", charset="UTF-8"'}

TABLE: Final[Mapping[type[FeelalikeError] | PictureFault, Answer]] = {
    MalformedBodyError: Answer(HTTPStatus.BAD_REQUEST, "malformed_body", "Malformed body"),
    PictureFault.EMPTY: Answer(HTTPStatus.BAD_REQUEST, "empty_picture", "Empty picture"),
    UnauthorizedError: Answer(HTTPStatus.UNAUTHORIZED, "unauthorized", "Admin token needed", _CHALLENGE),
    ReadTokenMissingError: Answer(HTTPStatus.UNAUTHORIZED, "unauthorized", "Token needed", _READ_CHALLENGE),
    UnknownImageError: Answer(HTTPStatus.NOT_FOUND, "unknown_image", "Unknown picture"),
    ImageFileMissingError: Answer(HTTPStatus.NOT_FOUND, "image_file_missing", "Original missing"),
    PictureFault.UNREADABLE: Answer(HTTPStatus.NOT_FOUND, "image_file_missing", "Original missing"),
    MapMissingError: Answer(HTTPStatus.NOT_FOUND, "map_missing", "No map yet"),
    UnknownJobError: Answer(HTTPStatus.NOT_FOUND, "unknown_job", "Unknown job"),
    PageMissingError: Answer(HTTPStatus.NOT_FOUND, "page_missing", "Page not installed"),
    UploadTimeoutError: Answer(HTTPStatus.REQUEST_TIMEOUT, "upload_timeout", "Upload too slow"),
    RebuildRunningError: Answer(HTTPStatus.CONFLICT, "rebuild_running", "Rebuild running"),
    StoreLockedError: Answer(HTTPStatus.CONFLICT, "store_locked", "Index being written"),
    SnapshotMismatchError: Answer(HTTPStatus.CONFLICT, "snapshot_mismatch", "Index of another model"),
    ExternalIdTakenError: Answer(HTTPStatus.CONFLICT, "external_id_taken", "External id taken"),
    NothingToRollBackError: Answer(HTTPStatus.CONFLICT, "nothing_to_roll_back", "No earlier version"),
    PictureFault.TOO_MANY_BYTES: Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "picture_too_large", "Too many bytes"),
    UnsupportedContentTypeError: Answer(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_content_type", "Unsupported content type"
    ),
    PictureFault.UNSUPPORTED_FORMAT: Answer(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_format", "Not a JPEG, PNG or WebP picture"
    ),
    PictureFault.UNDECODABLE: Answer(
        HTTPStatus.UNPROCESSABLE_ENTITY, "undecodable_picture", "Picture cannot be decoded"
    ),
    PictureFault.TOO_MANY_PIXELS: Answer(HTTPStatus.UNPROCESSABLE_ENTITY, "too_many_pixels", "Too many pixels"),
    InvalidParameterError: INVALID_PARAMETER,
    QueryError: INVALID_PARAMETER,  # k beyond what an index on a GPU gives; the vectors are ours
    RateLimitedError: Answer(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", "Too many requests", {"Retry-After": "1"}),
    OverloadedError: Answer(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "Too busy", {"Retry-After": "1"}),
    NotReadyError: Answer(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", "Not ready", {"Retry-After": "5"}),
    StoreWriteError: Answer(
        HTTPStatus.SERVICE_UNAVAILABLE, "store_not_writable", "Cannot be stored", {"Retry-After": "30"}
    ),
    StoreReadError: Answer(
        HTTPStatus.SERVICE_UNAVAILABLE, "store_not_readable", "Gallery cannot be read", {"Retry-After": "30"}
    ),
    SnapshotCorruptError: Answer(
        HTTPStatus.SERVICE_UNAVAILABLE, "index_damaged", "Index damaged", {"Retry-After": "30"}
    ),
    DeviceMemoryError: Answer(
        HTTPStatus.SERVICE_UNAVAILABLE, "device_out_of_memory", "GPU out of memory", {"Retry-After": "1"}
    ),
    DeviceLostError: Answer(HTTPStatus.SERVICE_UNAVAILABLE, "device_lost", "GPU lost", {"Retry-After": "30"}),
    ModelOutputError: INTERNAL,
}


def answer_for(error: FeelalikeError) -> Answer:
    """The line of the table for an error; an error that is not in it is our fault: 500."""
    if isinstance(error, PictureError):
        return TABLE[error.fault]
    return next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), INTERNAL)


def http_answer(status: int) -> Answer:
    """How the framework's own refusals (no such route, wrong method) are answered."""
    phrase = HTTPStatus(status).phrase
    return Answer(HTTPStatus(status), phrase.lower().replace(" ", "_").replace("-", "_"), phrase)
