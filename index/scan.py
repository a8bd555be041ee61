"""From files to pictures: hash what changed, merge what is the same."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emotion.bundle import file_sha256
from index.catalog import Catalog, CatalogEntry, HashedFile, PictureState, picture_id
from index.gallery import Found
from index.progress import OnProgress, Progress, Skipped, Stage


@dataclass(frozen=True)
class Scan:
    """What a gallery holds now."""

    pictures: tuple[CatalogEntry, ...]
    """One for each content, by ascending id; what was deleted on purpose is left out."""
    n_duplicates: int
    skipped: tuple[Skipped, ...]
    gone: frozenset[str]
    """Ids that were active before and are not among the pictures."""


def scan_files(
    found: Sequence[Found], catalog: Catalog, on_progress: OnProgress, active: frozenset[str] | None = None
) -> Scan:
    """Hash the files whose size or time of change differs from the catalog's, and merge equal contents.

    The first file of a content gives its path, label and metadata.

    Args:
        found: the files there are.
        catalog: what is known of them.
        on_progress: told how far the scan is.
        active: ids that were active before the files were looked for; what was added since is not missing.
    """
    if active is None:
        active = catalog.ids(PictureState.ACTIVE)
    deleted = catalog.ids(PictureState.DELETED)
    hashed, skipped = _hash_files(found, catalog, on_progress)
    if active or deleted:  # without a picture the catalog is new, or was lost: then the uploads are all there is
        hashed, unfinished = _without_unfinished(hashed, catalog)
        skipped += unfinished
    pictures: dict[str, CatalogEntry] = {}
    n_duplicates = 0
    for picture, file in hashed:
        item_id = picture_id(file.sha256)
        if item_id in pictures:
            n_duplicates += 1
        elif item_id not in deleted:
            pictures[item_id] = _entry(picture, file)
    merged = _with_upload_labels(pictures, {p.path for p, _ in hashed if p.is_upload}, catalog)
    return Scan(tuple(merged), n_duplicates, tuple(skipped), active.difference(pictures))


def _hash_files(
    found: Sequence[Found], catalog: Catalog, on_progress: OnProgress
) -> tuple[list[tuple[Found, HashedFile]], list[Skipped]]:
    known = catalog.hashed_files()
    hashed: list[tuple[Found, HashedFile]] = []
    news: dict[str, HashedFile] = {}
    skipped = []
    try:
        for done, picture in enumerate(found, start=1):
            key = str(picture.path)
            try:
                key.encode()
                file = _hash_file(picture.entry.path, known.get(key))
            except OSError as error:
                skipped.append(Skipped(str(picture.entry.path), f"cannot be read: {error.strerror}"))
            except UnicodeEncodeError:
                printable = os.fsencode(picture.entry.path).decode(errors="replace")
                skipped.append(Skipped(printable, "its name is not valid UTF-8; rename it"))
            else:
                hashed.append((picture, file))
                if known.get(key) != file:
                    news[key] = file
            on_progress(Progress(Stage.SCAN, done, len(found)))
    finally:
        # An interrupted scan of a large gallery goes on where it stopped.
        if news:
            catalog.remember_files(news)
    return hashed, skipped


def _without_unfinished(
    hashed: list[tuple[Found, HashedFile]], catalog: Catalog
) -> tuple[list[tuple[Found, HashedFile]], list[Skipped]]:
    """Leave out the copies of added pictures that the catalog does not know: whoever added them got no answer."""
    copies = {picture_id(file.sha256): picture for picture, file in hashed if picture.is_upload}
    copies = {item_id: copy for item_id, copy in copies.items() if copy.path.stem == item_id}
    known = catalog.get_many(copies)
    unfinished = {copy.path for item_id, copy in copies.items() if item_id not in known}
    reason = "was never added to the end, or the catalog is older than it; add it: python -m index add"
    skipped = [Skipped(str(picture.entry.path), reason) for picture, _ in hashed if picture.path in unfinished]
    return [one for one in hashed if one[0].path not in unfinished], skipped


def _hash_file(path: Path, known: HashedFile | None) -> HashedFile:
    stat = path.stat()
    if known is not None and (known.size_bytes, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
        return known
    return HashedFile(stat.st_size, stat.st_mtime_ns, file_sha256(path))


def _entry(picture: Found, file: HashedFile) -> CatalogEntry:
    return CatalogEntry(
        id=picture_id(file.sha256),
        path=picture.path,
        label=picture.entry.label,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
        metadata=picture.entry.metadata,
    )


def _with_upload_labels(pictures: dict[str, CatalogEntry], uploads: set[Path], catalog: Catalog) -> list[CatalogEntry]:
    """Pictures by id; those that only uploads/ holds keep what the catalog says of them."""
    known = catalog.get_many(item_id for item_id, entry in pictures.items() if entry.path in uploads)
    return [
        replace(entry, label=known[item_id].label, metadata=known[item_id].metadata) if item_id in known else entry
        for item_id, entry in sorted(pictures.items())
    ]
