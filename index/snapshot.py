"""One immutable snapshot: writing its folder, reading it back, and not trusting it until it proved whole."""

import errno
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from jaxtyping import Int64

from emotion.arrays import Embeddings, ProbabilityRows
from emotion.bundle import file_sha256
from emotion.errors import SnapshotCorruptError, StoreError, StoreReadError
from emotion.runtime import Device
from index.device import to_device
from index.digest import gentle_sha256
from index.durable import fsync
from index.manifest import MANIFEST_NAME, WAY_OUT, BuildCounts, SnapshotManifest, read_manifest, write_manifest
from index.plan import plan_index
from index.projection import Layout, Positions
from index.recall import RecallProbe, measure_recall
from index.rows import GalleryRows, PictureIds, encode_ids
from index.search import SearchIndex
from index.spec import IndexChoice, IndexKind, MapSpec

VECTORS: Final = "vectors.npy"
IDS: Final = "ids.npy"
PROBABILITIES: Final = "probabilities.npy"
INDEX: Final = "index.faiss"
MAP: Final = "map.npy"
FILES: Final = (VECTORS, IDS, PROBABILITIES, INDEX)
"""Of every snapshot; `MAP` is missing where nobody laid the gallery flat."""
_OF_THE_SYSTEM: Final = (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors that say nothing against the file: another build would not help."""
RECALL_SLACK: Final = 0.005
"""An approximate index may lose this much between machines: another processor rounds some distances differently."""


@dataclass(frozen=True)
class SnapshotDraft:
    """What a snapshot is made of; ids ascend."""

    rows: GalleryRows
    model_id: str
    precision: str
    taxonomy: tuple[str, ...]
    counts: BuildCounts = field(default_factory=BuildCounts)
    choice: IndexChoice = field(default_factory=IndexChoice)
    device: Device = Device.CPU
    """Where it will be searched; what fits there may differ."""
    layout: Layout | None = None
    """The map of it, row for row."""


@dataclass(frozen=True)
class Snapshot:
    """A snapshot ready to be searched."""

    manifest: SnapshotManifest
    index: SearchIndex
    ids: Sequence[str]
    """Ascending; position is the row."""
    vectors: Embeddings
    """Memory-mapped, read-only."""
    probabilities: ProbabilityRows
    positions: Positions | None = None
    """On the map, row for row; None where the snapshot has none. Memory-mapped, read-only."""

    def row_of(self, item_id: str) -> int | None:
        """Row of a picture; None when the snapshot does not hold it."""
        row = bisect_left(self.ids, item_id)
        return row if row < len(self.ids) and self.ids[row] == item_id else None

    def probabilities_of(self, rows: Int64[np.ndarray, "m"]) -> ProbabilityRows:
        """The probabilities of several rows."""
        found: ProbabilityRows = self.rows.probabilities[rows]
        return found

    @property
    def rows(self) -> GalleryRows:
        """Ids, vectors and probabilities together, as plain views: rows of a memory map are slow to make."""
        return GalleryRows(self.ids, np.asarray(self.vectors), np.asarray(self.probabilities))


def write_snapshot(folder: Path, draft: SnapshotDraft, version: str) -> SnapshotManifest:
    """Build the index and write every file of a snapshot into an empty folder, down to the disk.

    Raises:
        StoreError: the draft has ids that do not ascend, or numbers that are not finite.
    """
    rows = draft.rows
    _check_rows(rows)
    probe = RecallProbe.draw(rows.vectors)
    index, spec = plan_index(rows, draft.choice, probe, device=draft.device)
    np.save(folder / VECTORS, rows.vectors.astype(np.float32, copy=False))
    np.save(folder / IDS, encode_ids(rows.ids))
    np.save(folder / PROBABILITIES, rows.probabilities.astype(np.float32, copy=False))
    _write_index(index, folder / INDEX)
    files = (*FILES, *_write_map(folder, draft))
    manifest = SnapshotManifest(
        version=version,
        created=datetime.now(UTC),
        model_id=draft.model_id,
        precision=str(draft.precision),
        dim=rows.vectors.shape[1],
        count=len(rows),
        index=spec,
        recall=probe.recall(SearchIndex(to_device(index, Device.CPU), rows.vectors, rows.ids, spec.ivf)),
        map=_map_spec(draft.layout, probe),
        taxonomy=draft.taxonomy,
        counts=draft.counts,
        files={name: file_sha256(folder / name) for name in files},
    ).sealed()
    write_manifest(folder, manifest)
    for name in (*files, MANIFEST_NAME):
        fsync(folder / name)
    fsync(folder)
    return manifest


def read_snapshot(folder: Path, device: Device = Device.AUTO, *, gently: bool = False) -> Snapshot:
    """Load a snapshot after checking every file's hash: FAISS and numpy load a flipped bit without complaint.

    Args:
        folder: of the snapshot.
        device: where it will be searched.
        gently: take longer, so that requests answered meanwhile do not.

    Raises:
        SnapshotCorruptError: a file is missing, damaged or does not fit the others; its name is in the message.
        RuntimeUnavailableError: the device is not there.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest, gentle_sha256 if gently else file_sha256)
    vectors = _load(folder / VECTORS, lambda file: np.load(file, mmap_mode="r", allow_pickle=False))
    probabilities = _load(folder / PROBABILITIES, lambda file: np.load(file, mmap_mode="r", allow_pickle=False))
    ids = _load(folder / IDS, lambda file: PictureIds(np.load(file, allow_pickle=False)))
    index = _load(folder / INDEX, lambda file: faiss.read_index(str(file)))
    n, d = manifest.count, manifest.dim
    _expect(folder / VECTORS, (vectors.shape, vectors.dtype), ((n, d), np.float32))
    _expect(folder / PROBABILITIES, probabilities.shape, (n, len(manifest.taxonomy)))
    _expect(folder / IDS, len(ids), n)
    _expect(folder / INDEX, (index.ntotal, index.d), (n, d))
    search = SearchIndex(to_device(index, device), vectors, ids, manifest.index.ivf)
    return Snapshot(manifest, search, ids, vectors, probabilities, _read_map(folder, manifest))


def verify_snapshot(folder: Path) -> SnapshotManifest:
    """All checks of read_snapshot, and the one too slow for every start: recall against exact search."""
    snapshot = read_snapshot(folder, Device.CPU)
    recall = measure_recall(snapshot.index, snapshot.vectors)
    slack = RECALL_SLACK if snapshot.manifest.index.kind is IndexKind.IVF else 0.0
    if recall < snapshot.manifest.recall - slack:
        raise SnapshotCorruptError(
            f"{folder / INDEX} finds {recall:.3f} of the true neighbours, "
            f"{snapshot.manifest.recall:.3f} when it was built; {WAY_OUT}"
        )
    return snapshot.manifest


def _write_index(index: Any, file: Path) -> None:
    """Through Python's stream: FAISS by itself does not say that the last bytes found no room."""
    with file.open("wb") as stream:
        faiss.write_index(index, faiss.PyCallbackIOWriter(stream.write))  # type: ignore[attr-defined]


def _check_rows(rows: GalleryRows) -> None:
    if any(a >= b for a, b in pairwise(rows.ids)):
        raise StoreError("a snapshot's ids must be distinct and ascend: equal distances are ordered by row")
    if not (np.isfinite(rows.vectors).all() and np.isfinite(rows.probabilities).all()):
        raise StoreError("a snapshot's vectors and probabilities must be finite: no distance to NaN can be ordered")


def _write_map(folder: Path, draft: SnapshotDraft) -> tuple[str, ...]:
    """The names of what was written."""
    if draft.layout is None:
        return ()
    np.save(folder / MAP, draft.layout.positions.astype(np.float32, copy=False))
    return (MAP,)


def _map_spec(layout: Layout | None, probe: RecallProbe) -> MapSpec | None:
    if layout is None:
        return None
    return MapSpec(method=layout.method, n_landmarks=layout.n_landmarks, kept=probe.kept(layout.positions))


def _read_map(folder: Path, manifest: SnapshotManifest) -> Positions | None:
    if manifest.map is None:
        return None
    positions: Positions = _load(folder / MAP, lambda file: np.load(file, mmap_mode="r", allow_pickle=False))
    _expect(folder / MAP, (positions.shape, positions.dtype), ((manifest.count, 2), np.float32))
    return positions


def check_files(folder: Path, manifest: SnapshotManifest, digest: Callable[[Path], str] = file_sha256) -> None:
    """Compare every file with its hash; raises SnapshotCorruptError naming the first that differs."""
    wanted = FILES if manifest.map is None else (*FILES, MAP)
    if set(manifest.files) != set(wanted):
        raise SnapshotCorruptError(f"{folder / MANIFEST_NAME} lists other files than {', '.join(wanted)}; {WAY_OUT}")
    for name, expected in manifest.files.items():
        if _load(folder / name, digest) != expected:
            raise SnapshotCorruptError(f"{folder / name} differs from its recorded hash; {WAY_OUT}")


def _load(file: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(file)
    except FileNotFoundError as error:
        raise SnapshotCorruptError(f"{file} is missing; {WAY_OUT}") from error
    except OSError as error:
        kind, then = (StoreReadError, "") if error.errno in _OF_THE_SYSTEM else (SnapshotCorruptError, f"; {WAY_OUT}")
        raise kind(f"{file} cannot be read: {error.strerror or error}{then}") from error
    except (ValueError, RuntimeError) as error:
        raise SnapshotCorruptError(f"{file} cannot be read: {error}; {WAY_OUT}") from error


def _expect(file: Path, found: object, expected: object) -> None:
    if found != expected:
        raise SnapshotCorruptError(f"{file} holds {found}, not {expected} as the manifest says; {WAY_OUT}")
