"""What an interrupted build had embedded, kept in chunks so that the next build goes on from there."""

import shutil
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np

from index.durable import write_atomic
from index.rows import GalleryRows, KnownRows, decode_ids, encode_ids

CHUNK_PICTURES: Final = 256
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class Journal:
    """Chunks of one model at one precision; other models' chunks lie beside them, unread.

    Args:
        folder: the store's folder for partial results.
        key: names the model and precision.
        dim: size of a vector.
        n_emotions: columns of the probabilities.
    """

    def __init__(self, folder: Path, key: str, dim: int, n_emotions: int) -> None:
        self._root = folder
        self._folder = folder / key
        self._columns = (dim, n_emotions)
        self._pending: list[GalleryRows] = []

    def chunks(self) -> list[GalleryRows]:
        """What earlier builds left; a damaged chunk is dropped, its pictures are embedded again."""
        chunks = []
        for file in self._files():
            rows = self._read(file)
            if rows is None:
                file.unlink()
            else:
                chunks.append(rows)
        return chunks

    def append(self, rows: GalleryRows) -> None:
        """Keep rows; every 256 pictures they reach the disk."""
        self._pending.append(rows)
        if sum(len(pending) for pending in self._pending) >= CHUNK_PICTURES:
            self.flush()

    def flush(self) -> None:
        """Write what is still in memory."""
        ids = [item_id for rows in self._pending for item_id in rows.ids]
        if not ids:
            return
        rows = KnownRows(self._pending).gather(ids)
        buffer = BytesIO()
        np.savez(buffer, ids=encode_ids(rows.ids), vectors=rows.vectors, probabilities=rows.probabilities)
        self._folder.mkdir(parents=True, exist_ok=True)
        last = max((int(file.stem) for file in self._files()), default=0)
        write_atomic(self._folder / f"{last + 1:06d}.npz", buffer.getvalue())
        self._pending.clear()

    def discard(self) -> None:
        """Remove all chunks, other models' included: a snapshot holds now what they were for."""
        self._pending.clear()
        shutil.rmtree(self._root, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(file for file in self._folder.glob("*.npz") if file.stem.isdecimal())

    def _read(self, file: Path) -> GalleryRows | None:
        try:
            # numpy leaves the file open when it turns out to be no archive; bytes cannot leak.
            with np.load(BytesIO(file.read_bytes()), allow_pickle=False) as arrays:
                rows = GalleryRows(decode_ids(arrays["ids"]), arrays["vectors"], arrays["probabilities"])
        except _DAMAGED:
            return None
        return rows if (rows.vectors.shape[1], rows.probabilities.shape[1]) == self._columns else None
