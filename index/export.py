"""A gallery as a table for other programs: what the catalog and the model say of every picture that searches find."""

import csv
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from emotion.arrays import Embeddings, ProbabilityRows
from emotion.console import Advance
from emotion.errors import ConfigError
from emotion.parquet import INSTALL
from emotion.parquet import SUFFIX as PARQUET
from emotion.runtime import Device
from index.catalog import Catalog, CatalogEntry, PictureState
from index.delta import gallery_rows, read_rows
from index.manifest import SnapshotManifest
from index.rows import GalleryRows
from index.store import SnapshotStore
from index.view import made_by

CSV: Final = ".csv"
BLOCK_ROWS: Final = 8192
"""Pictures in memory at a time, and in a row group of a Parquet file: 22 MB of 680 numbers each."""
DECIMALS: Final = 6


class Exported(NamedTuple):
    """What was written."""

    manifest: SnapshotManifest
    n_pictures: int
    n_damaged: int
    """Added pictures whose numbers differ from their checksum; they are left out, as in every search."""


@dataclass(frozen=True)
class Block:
    """Some pictures in one piece."""

    ids: Sequence[str]
    entries: Sequence[CatalogEntry | None]
    """None where the catalog does not know the picture, as where it was lost."""
    emotions: Sequence[str]
    """The most probable ones."""
    probabilities: ProbabilityRows
    embeddings: Embeddings

    def said(self, read: Callable[[CatalogEntry], Any]) -> list[Any]:
        """Something of every entry."""
        return [None if entry is None else read(entry) for entry in self.entries]


class Writer(Protocol):
    """Takes blocks."""

    def write(self, block: Block) -> None:
        """Write a block behind those before."""


def export_gallery(store: SnapshotStore, out: Path, advance: Advance, block_rows: int = BLOCK_ROWS) -> Exported:
    """Write the published version and what was added since; the file appears, or is replaced, when it is whole.

    Args:
        store: with the gallery; it is only read, and answers go on.
        out: .parquet or .csv.
        advance: told how many pictures were just looked at.
        block_rows: pictures in memory at a time.

    Raises:
        ConfigError: another suffix, or pyarrow is not installed.
        StoreMissingError, SnapshotCorruptError: there is no snapshot, or it is damaged.
    """
    suffix = out.suffix.lower()
    if suffix not in (PARQUET, CSV):
        raise ConfigError(f"--out {out} must end in {PARQUET} or {CSV}")
    # The added ones first: none is given up before the version read after them holds it.
    manifest = store.manifest()
    made = made_by(manifest)
    added = read_rows(store.catalog, made)
    snapshot = store.load(manifest.version, Device.CPU)
    more = gallery_rows([row for row in added.rows if snapshot.row_of(row.id) is None], made)
    n_pictures = 0
    with _written(out) as file, _writer(suffix, file, manifest) as writer:
        for part in (snapshot.rows, more):
            for block in _blocks(part, store.catalog, manifest, block_rows, advance):
                if block.ids:
                    writer.write(block)
                n_pictures += len(block.ids)
    return Exported(manifest, n_pictures, len(added.damaged))


def _blocks(
    rows: GalleryRows, catalog: Catalog, manifest: SnapshotManifest, size: int, advance: Advance
) -> Iterator[Block]:
    """Without the pictures that were deleted."""
    names = np.array(manifest.taxonomy)
    for start in range(0, len(rows), size):
        ids = tuple(rows.ids[start : start + size])
        entries = catalog.get_many(ids)
        kept = [i for i, item_id in enumerate(ids) if not _is_deleted(entries.get(item_id))]
        probabilities = np.asarray(rows.probabilities[start : start + size])[kept]
        yield Block(
            ids=[ids[i] for i in kept],
            entries=[entries.get(ids[i]) for i in kept],
            emotions=names[probabilities.argmax(axis=1)].tolist(),
            probabilities=probabilities,
            embeddings=np.asarray(rows.vectors[start : start + size])[kept],
        )
        advance(len(ids))


def _is_deleted(entry: CatalogEntry | None) -> bool:
    return entry is not None and entry.state is PictureState.DELETED


@contextmanager
def _written(out: Path) -> Iterator[Path]:
    """A file beside the wanted one, which takes its place at the end and is gone after an error."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        file = Path(folder) / out.name
        yield file
        file.replace(out)


@contextmanager
def _writer(suffix: str, file: Path, manifest: SnapshotManifest) -> Iterator[Writer]:
    if suffix == CSV:
        with file.open("w", newline="", encoding="utf-8") as stream:
            yield _CsvWriter(csv.writer(stream), manifest)
        return
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ConfigError(f"writing Parquet needs pyarrow: {INSTALL}; or write a {CSV}, without embeddings") from error
    schema = _schema(manifest)
    with pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=["label", "emotion"]) as writer:
        yield _ParquetWriter(writer, schema)


@dataclass
class _CsvWriter:
    """What a spreadsheet can show: probabilities in columns, metadata as JSON, no embedding."""

    rows: Any
    manifest: SnapshotManifest

    def __post_init__(self) -> None:
        probabilities = [f"probability_{name}" for name in self.manifest.taxonomy]
        self.rows.writerow(["id", "path", "label", "external_id", "metadata", "emotion", *probabilities])

    def write(self, block: Block) -> None:
        for i, entry in enumerate(block.entries):
            probabilities = [f"{value:.{DECIMALS}f}" for value in block.probabilities[i].tolist()]
            said = (entry.path, entry.label, entry.external_id, _json(entry.metadata)) if entry else [None] * 4
            self.rows.writerow([block.ids[i], *said, block.emotions[i], *probabilities])


@dataclass
class _ParquetWriter:
    """A row group for each block."""

    writer: Any
    schema: Any

    def write(self, block: Block) -> None:
        import pyarrow as pa

        names = [one.name for one in self.schema.field("probabilities").type]
        columns = {
            "id": pa.array(block.ids, pa.string()),
            "path": pa.array(block.said(lambda entry: str(entry.path)), pa.string()),
            "label": pa.array(block.said(lambda entry: entry.label), pa.string()),
            "external_id": pa.array(block.said(lambda entry: entry.external_id), pa.string()),
            "metadata": pa.array(
                block.said(lambda entry: list(entry.metadata.items())), self.schema.field("metadata").type
            ),
            "emotion": pa.array(block.emotions, pa.string()),
            "probabilities": pa.StructArray.from_arrays(
                [pa.array(np.ascontiguousarray(column)) for column in block.probabilities.T], names
            ),
            "embedding": pa.FixedSizeListArray.from_arrays(
                pa.array(block.embeddings.reshape(-1)), type=self.schema.field("embedding").type
            ),
        }
        arrays = [columns[one.name] for one in self.schema]
        self.writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema), row_group_size=len(block.ids))


def _schema(manifest: SnapshotManifest) -> Any:
    import pyarrow as pa

    facts = manifest.model_dump(mode="json", include={"version", "model_id", "precision", "dim", "taxonomy"})
    return pa.schema(
        [
            ("id", pa.string()),
            ("path", pa.string()),
            ("label", pa.string()),
            ("external_id", pa.string()),
            ("metadata", pa.map_(pa.string(), pa.string())),
            ("emotion", pa.string()),
            ("probabilities", pa.struct([(name, pa.float32()) for name in manifest.taxonomy])),
            ("embedding", pa.list_(pa.float32(), manifest.dim)),
        ],
        metadata={"feelalike": json.dumps(facts)},
    )


def _json(metadata: Mapping[str, str]) -> str | None:
    return json.dumps(dict(metadata), ensure_ascii=False) if metadata else None
