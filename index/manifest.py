"""The content of a snapshot's manifest.json: what it holds, who made it, and the hash of every file."""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emotion.errors import SnapshotCorruptError, SnapshotMismatchError, StoreError
from emotion.runtime import Precision
from index.spec import IndexSpec, MapSpec

SCHEMA_VERSION: Final = 1
MANIFEST_NAME = "manifest.json"
WAY_OUT: Final = "build the index again, or go back a version: python -m index rollback"
"""What helps where a file of a snapshot is damaged."""


class Identity(Protocol):
    """What a model's vectors must have in common with the snapshot's; a Predictor has it."""

    @property
    def model_id(self) -> str:
        """Identity of the numbers."""
        ...

    @property
    def dim(self) -> int:
        """Size of an embedding."""
        ...

    @property
    def precision(self) -> Precision:
        """Arithmetic of the network."""
        ...


class BuildCounts(BaseModel):
    """What a build did with the files it found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedded: int = 0
    """Pictures the model ran on."""
    reused: int = 0
    """Pictures whose vector came from the snapshot before, or from an interrupted build."""
    duplicates: int = 0
    """Files whose bytes another file has too; they share its entry."""
    skipped: int = 0
    """Files that could not be used."""


class SnapshotManifest(BaseModel):
    """Facts of one immutable snapshot."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    schema_version: Literal[1] = SCHEMA_VERSION
    """Of this file."""
    version: str
    """Name of the folder: when it was made, in UTC."""
    created: datetime
    """The same time."""
    model_id: str
    """The bundle that embedded the pictures."""
    precision: str
    """Arithmetic that they were embedded with."""
    dim: int = Field(gt=0)
    """Numbers of an embedding."""
    count: int = Field(gt=0)
    """Pictures in the snapshot."""
    index: IndexSpec
    recall: float = Field(ge=0, le=1)
    """Recall@10 against exact search, measured on a sample of the snapshot's own vectors."""
    map: MapSpec | None = Field(default=None, exclude_if=lambda spec: spec is None)
    """How its map was made; None in a snapshot from before there were maps, whose checksum must stay what it was."""
    taxonomy: tuple[str, ...]
    """Emotion names in the order of the probabilities' columns."""
    counts: BuildCounts
    files: dict[str, str]
    """File name to sha256."""
    checksum: str = ""
    """sha256 of the fields above: no other file vouches for this one."""

    def sealed(self) -> "SnapshotManifest":
        """The same manifest with its checksum filled in."""
        return self.model_copy(update={"checksum": self._checksum()})

    def is_intact(self) -> bool:
        """Whether the fields are those that were sealed."""
        return self.checksum == self._checksum()

    def _checksum(self) -> str:
        return hashlib.sha256(self.model_dump_json(exclude={"checksum"}).encode()).hexdigest()


def write_manifest(folder: Path, manifest: SnapshotManifest) -> None:
    """Write manifest.json; it must be sealed."""
    (folder / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> SnapshotManifest:
    """Read and check manifest.json.

    Raises:
        SnapshotCorruptError: it is missing or damaged.
        StoreError: a later version of this software wrote it.
    """
    file = folder / MANIFEST_NAME
    content = _read_json(file)
    version = content.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise StoreError(f"{file} has schema {version}; this version reads schema {SCHEMA_VERSION}: update feelalike")
    try:
        manifest = SnapshotManifest.model_validate(content)
    except ValidationError as error:
        raise SnapshotCorruptError(f"{file} is damaged: {error}; {WAY_OUT}") from error
    if not manifest.is_intact():
        raise SnapshotCorruptError(f"{file} is damaged: its checksum does not fit its content; {WAY_OUT}")
    return manifest


def check_matches(manifest: SnapshotManifest, *, model_id: str, dim: int, precision: str) -> None:
    """Raise SnapshotMismatchError unless a model's vectors can be compared with the snapshot's."""
    wanted = {"model": model_id, "dimension": dim, "precision": precision}
    found = {"model": manifest.model_id, "dimension": manifest.dim, "precision": manifest.precision}
    differing = [f"{name} {found[name]}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]]
    if differing:
        raise SnapshotMismatchError(
            f"snapshot {manifest.version} was made with {'; '.join(differing)}; "
            "embed the gallery again: python -m index build --bundle BUNDLE --store STORE"
        )


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise SnapshotCorruptError(f"{file} cannot be read: {error.strerror}; {WAY_OUT}") from error
    except (ValueError, RecursionError) as error:
        raise SnapshotCorruptError(f"{file} is damaged: {error}; {WAY_OUT}") from error
    if not isinstance(content, dict):
        raise SnapshotCorruptError(f"{file} is damaged: not a JSON object; {WAY_OUT}")
    return content
