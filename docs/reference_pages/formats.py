"""What lies on disk: the bundle and the store."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Final

from pydantic import BaseModel

from emotion.bundle import BundleManifest
from index.gallery import UPLOADS, StoreConfig
from index.manifest import MANIFEST_NAME, SnapshotManifest
from index.schema import migrate
from index.snapshot import IDS, INDEX, PROBABILITIES, VECTORS
from index.store import CURRENT
from reference_pages.fields import line, models_in, rows, table

_HEADER: Final = """# Bundle and store on disk

Two folders make a service: a **bundle**, the model, and a **store**, the index. Both are plain files with checksums;
nothing in them is unpickled or executed. A file of a later schema is refused with a message that says so.

"""
_BUNDLE_FILES: Final = {
    "bundle.json": "everything about the model but its weights: [BundleManifest](#bundlemanifest)",
    "weights.safetensors": "the weights, fp16, under the names of `emotion/network/net.py`",
    "model.onnx": "the same network as a graph: input `pixels`, float32 n x 3 x size x size, prepared as `preprocess` "
    "says; outputs `embedding` (n x dim, length 1), `logits` (n x emotions), and `unfamiliarity` (n) where it is "
    "measured",
    "model-int8.xml, model-int8.bin": "the graph in 8 bits, in OpenVINO's format; only after "
    "`python -m training quantise` ([precision](precision.md))",
}
_BUNDLE: Final = """
Probabilities are the softmax of `logits / temperature`, or, with `thresholds`, a sigmoid of each logit. `model_id` is a
hash of what decides the numbers of a picture: label set, preprocessing, network, temperature, thresholds and the two
files. Terms, metrics and the note on familiarity may be edited by hand; the rest may not.

"""
_STORE_FILES: Final = {
    "store.json": "where the gallery lies and what index is wanted: [StoreConfig](#storeconfig)",
    "catalog.sqlite": "every picture that was ever seen, and what was added since the snapshot: "
    "[tables](#catalogsqlite)",
    CURRENT: "the name of the published version, replaced in one step",
    "snapshots/VERSION/": "an immutable version, named by its time in UTC",
    f"snapshots/VERSION/{MANIFEST_NAME}": "facts, and the SHA-256 of the other files: "
    "[SnapshotManifest](#snapshotmanifest)",
    f"snapshots/VERSION/{VECTORS}": "float32, count x dim: the embeddings",
    f"snapshots/VERSION/{IDS}": "count ids of 32 ASCII characters, ascending; row i of every file belongs to id i",
    f"snapshots/VERSION/{PROBABILITIES}": "float32, count x emotions",
    f"snapshots/VERSION/{INDEX}": "the FAISS index over the rows",
    f"{UPLOADS}/": "the originals of added pictures, in folders by the first two characters of their ids; there is no "
    "other copy",
    "thumbnails/": "made when asked for; may be deleted",
    "partial/": "embeddings of a build that was interrupted",
    ".lock": "the lock of whoever publishes a version",
}
_STORE: Final = """
The gallery's own pictures stay where they are. An id is the first 128 bits of a file's SHA-256, in hex. Three versions
are kept. [A live gallery](live-gallery.md#how-it-holds) says how the parts work together.

"""


def formats_page() -> str:
    """The whole page."""
    parts = [
        *(_HEADER, _files("Bundle", _BUNDLE_FILES), _BUNDLE, *map(_model, _reachable(BundleManifest))),
        *(_files("Store", _STORE_FILES), _STORE, *map(_model, _reachable(StoreConfig, SnapshotManifest))),
        *_catalog(),
    ]
    return "".join(parts).rstrip("\n") + "\n"


def _reachable(*tops: type[BaseModel]) -> list[type[BaseModel]]:
    """The models, and all that their fields hold, each once."""
    found: dict[type[BaseModel], None] = {}
    for top in tops:
        found[top] = None
        held = [model for field in top.model_fields.values() for model in models_in(field.annotation)]
        found |= dict.fromkeys(_reachable(*held))
    return list(found)


def _files(title: str, files: Mapping[str, str]) -> str:
    lines = [line((f"`{name}`", content)) for name, content in files.items()]
    return f"## {title}\n\n| file | content |\n|---|---|\n{''.join(lines)}"


def _model(model: type[BaseModel]) -> str:
    about = " ".join((model.__doc__ or "").split())
    return f"### {model.__name__}\n\n{about}\n\n{table(rows(model))}\n"


def _catalog() -> Iterator[str]:
    """The tables as SQLite itself tells them."""
    yield "### catalog.sqlite\n\nSQLite, in WAL mode; only the service and `python -m index` write it.\n\n"
    with closing(sqlite3.connect(":memory:")) as connection:
        migrate(connection)
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        ).fetchall()
        for (name,) in names:
            yield f"**{name}**\n\n| column | type |\n|---|---|\n"
            yield "".join(_column(column) for column in connection.execute(f"PRAGMA table_info({name})"))
            yield "\n"


def _column(column: tuple[Any, ...]) -> str:
    _, name, kind, is_required, _, is_key = column
    notes = [kind.lower() or "any", *(["key"] if is_key else []), *(["never null"] if is_required else [])]
    return line((f"`{name}`", ", ".join(notes)))
