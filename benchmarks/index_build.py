"""Embedding a gallery, against the slower of decoding and inference by themselves."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.command import Options, start
from benchmarks.measure import Work, interleaved, ratio
from benchmarks.pictures import SMALL, described, write_jpegs
from benchmarks.results import Bar, Chart, Findings, Row, Sense
from emotion.predictor import Predictor
from emotion.runtime import Device, Precision
from index.catalog import CatalogEntry, picture_id
from index.embed import BATCH_SIZE, N_DECODERS, N_STREAMS, embed_pictures
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore

NAME: Final = "index_build"
TITLE: Final = "Index build"
EMBED: Final = "embedding: both, overlapped"
DECODE: Final = "decoding alone"
INFER: Final = "inference alone"

_SHARE = Bar(sense=Sense.AT_LEAST, limit=85, unit="%")


def measure(options: Options) -> Findings:
    """Files come from the page cache; either stage alone has as many threads as in a build."""
    n = options.pick(2000, 32)
    predictor = Predictor.open(options.bundle, Device.CPU, Precision.FP32, n_streams=N_STREAMS)
    with tempfile.TemporaryDirectory(prefix="feelalike-build-") as folder:
        paths = write_jpegs(Path(folder) / "gallery", n, SMALL, options.data)
        entries = [_entry(path) for path in paths]
        contenders: dict[str, Work] = {
            EMBED: partial(_embed, entries, Path(folder), predictor),
            DECODE: partial(_decode, paths, predictor),
            INFER: partial(_infer, n, predictor),
        }
        seconds = interleaved(contenders, rounds=options.pick(3, 1))
        whole = _build_s(Path(folder), predictor)
    slower = [max(pair) for pair in zip(seconds[DECODE], seconds[INFER], strict=True)]
    both = [sum(pair) for pair in zip(seconds[DECODE], seconds[INFER], strict=True)]
    share = ratio(slower, seconds[EMBED])
    rates = {name: n / float(np.median(times)) for name, times in seconds.items()}
    facts = ", ".join(f"{name} {rate:.1f}/s" for name, rate in rates.items())
    detail = f"{facts}; {share.spread}; decoding and inference one after the other would give "
    detail += f"{100 * ratio(slower, both).median:.0f} %; the whole build took {whole:.1f} s"
    what = f"embedding {n:,} photos: speed of the slower of decoding and inference alone"
    row = Row(what=what, bar=_SHARE, measured=100 * share.median, unit="%", detail=detail)
    series = {name: [rate] for name, rate in rates.items()}
    chart = Chart(name="index_build", title="Embedding a gallery", unit="pictures/s", labels=["fp32"], series=series)
    return Findings(workload=described(n, SMALL, options.data), rows=[row], charts=[chart])


def _embed(entries: list[CatalogEntry], store: Path, predictor: Predictor) -> int:
    return sum(len(batch.rows) for batch in embed_pictures(entries, store, predictor))


def _decode(paths: list[Path], predictor: Predictor) -> None:
    """What becomes of the pixels costs nothing: they are dropped."""
    with ThreadPoolExecutor(N_DECODERS) as pool:
        for _ in pool.map(predictor.prepare, paths):
            pass


def _infer(n: int, predictor: Predictor) -> None:
    size = predictor.bundle.manifest.preprocess.size_px
    batch = np.zeros((BATCH_SIZE, 3, size, size), np.float32)
    with ThreadPoolExecutor(N_STREAMS) as pool:
        for _ in pool.map(lambda first: predictor.infer(batch[: n - first]), range(0, n, BATCH_SIZE)):
            pass


def _build_s(folder: Path, predictor: Predictor) -> float:
    """From a gallery that the store does not know to a published snapshot."""
    began = time.perf_counter()
    rebuild(SnapshotStore(folder / "store"), predictor, root=GalleryRoot(path=(folder / "gallery").absolute()))
    return time.perf_counter() - began


def _entry(path: Path) -> CatalogEntry:
    stat, digest = path.stat(), sha256(path.read_bytes()).hexdigest()
    return CatalogEntry(picture_id(digest), path, None, digest, stat.st_size, stat.st_mtime_ns)


if __name__ == "__main__":
    start(NAME, TITLE, measure)
