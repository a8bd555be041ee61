"""Every error a caller may want to tell apart.

FeelalikeError
├── PictureError        a picture that cannot be used; `.fault` says why
├── DataError           a manifest, folder or label that cannot be used
├── ConfigError         a setting that is unknown or out of range
├── AddressError        an address or port that cannot be listened on
├── TaxonomyError       a label set that is unknown or not valid, or an emotion that it does not have
├── BundleError         a model on disk that is missing, damaged or of another schema
├── RuntimeUnavailableError   the inference runtime or its device is not there
├── DeviceMemoryError   the GPU has no memory left for this request; a later one may fit
├── DeviceLostError     the GPU failed for good; only a restart of the process helps
├── QueryError          a query that no index can answer (also a ValueError)
└── StoreError          anything about the index on disk
    ├── StoreMissingError     no snapshot has been published yet
    ├── StoreLockedError      another process is writing
    ├── StoreReadError        the catalog or a pointer is missing, damaged or cannot be opened
    ├── StoreWriteError       the disk is full, read-only, or busy for too long
    ├── ExternalIdTakenError  another picture has this external id
    ├── EmptyGalleryError     nothing to index
    ├── SnapshotCorruptError  a file is missing or differs from its recorded hash
    └── SnapshotMismatchError the snapshot was made by another model or at another precision
"""

from enum import StrEnum


class FeelalikeError(Exception):
    """Base of all errors raised on purpose; its text is fit to be shown to a user."""


class PictureFault(StrEnum):
    """Why a picture was refused; the values are stable and appear as `code` over HTTP."""

    EMPTY = "empty_picture"
    """There are no bytes."""
    TOO_MANY_BYTES = "picture_too_large"
    """More bytes than accepted (FEELALIKE_MAX_UPLOAD_BYTES)."""
    UNSUPPORTED_FORMAT = "unsupported_format"
    """Neither JPEG nor PNG nor WebP, whatever its name says."""
    TOO_MANY_PIXELS = "too_many_pixels"
    """More pixels than accepted (FEELALIKE_MAX_PIXELS), by its header."""
    UNDECODABLE = "undecodable_picture"
    """Of a known format, but damaged."""
    UNREADABLE = "unreadable_file"
    """Its file cannot be opened."""


class PictureError(FeelalikeError):
    """A picture that cannot be used."""

    def __init__(self, fault: PictureFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class DataError(FeelalikeError):
    """A manifest, folder or label that cannot be used."""


class ConfigError(FeelalikeError):
    """A setting that is unknown or out of range."""


class AddressError(FeelalikeError):
    """An address or port that cannot be listened on."""


class TaxonomyError(FeelalikeError):
    """A label set that is unknown or not valid, or an emotion that it does not have."""


class BundleError(FeelalikeError):
    """A model on disk that is missing, damaged or of another schema."""


class RuntimeUnavailableError(FeelalikeError):
    """The inference runtime or its device is not there."""


class DeviceMemoryError(FeelalikeError):
    """The GPU has no memory left for this request; a later one may fit."""


class DeviceLostError(FeelalikeError):
    """The GPU failed for good; only a restart of the process helps."""


class QueryError(FeelalikeError, ValueError):
    """A query that no index can answer: wrong shape, not finite, or k out of range."""


class StoreError(FeelalikeError):
    """Anything about the index on disk."""


class StoreMissingError(StoreError):
    """No snapshot has been published yet."""


class StoreLockedError(StoreError):
    """Another process is writing to the store."""


class StoreReadError(StoreError):
    """The catalog, or a file that leads to the rest, is missing, damaged or cannot be opened."""


class StoreWriteError(StoreError):
    """A change could not be written; nothing of it was kept."""


class ExternalIdTakenError(StoreError):
    """Another picture of the gallery has this external id."""


class EmptyGalleryError(StoreError):
    """There is nothing to index."""


class SnapshotCorruptError(StoreError):
    """A snapshot's file is missing or differs from its recorded hash."""


class SnapshotMismatchError(StoreError):
    """A snapshot was made by another model or at another precision."""
