"""Everything at once, for minutes, against a real service: nothing answered may be lost, and nothing may grow.

python tests/soak.py [--minutes 20] [--seed 0] [--bundle FOLDER]

Threads search, classify, add and delete; another rebuilds, compacts and rolls back, and kills builds; in the first half
the service itself is killed with SIGKILL again and again. Every answer is compared with brute force. The second half
has no kills, so that memory and open files of one process can be followed. Exit code 1 if anything is wrong.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import httpx2

from emotion.predictor import Predictor
from emotion.runtime import Device
from fakes import write_gallery
from index.audit import audit
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore
from soak_service import ROOT, TIMEOUT_S, Memory, Service
from soak_truth import Truth
from soak_workers import Admin, Reader, Soak, Writer

N_ORIGINALS: Final = 40
N_PICTURES: Final = 120
N_WRITERS: Final = 2
N_READERS: Final = 2
GROWTH_MB: Final = 40
"""What anonymous memory may grow by in the second half; a small heap is noisy."""
GROWTH_FILES: Final = 40
LONG_S: Final = 120
"""From this length on growth says something."""


def look_again(soak: Soak, url: str) -> None:
    """After a kill, before anybody else: what was on its way holds or does not, and stays so until it is sent again."""
    response = httpx2.post(f"{url}/search?k=1000", content=soak.truth.pictures[0].data, timeout=TIMEOUT_S)
    results = response.raise_for_status().json()["results"]
    found = {soak.truth.seeds.get(result["id"]) for result in results}
    for seed in soak.truth.open_seeds():
        soak.truth.settle(seed, is_in=seed in found)
    if complaint := soak.truth.complaint(0, 1000, results, soak.truth.states()):
        soak.fail(f"after a kill: {complaint}")


def kill_again_and_again(soak: Soak, rng: random.Random, end: float) -> None:
    """Kill the service and start another one, until then."""
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(rng.uniform(1, 20), left))
        soak.service.kill()
        soak.count("kills of the service")
        time.sleep(0.2)  # whoever waits for an answer learns that there is none
        url = soak.service.start()
        look_again(soak, url)
        soak.service.open(url)


def check_the_end(soak: Soak) -> None:
    """Nobody changes anything any more: the answer is the truth, the service ends in order, the store is whole."""
    results = httpx2.post(f"{soak.service.url}/search?k=1000", content=soak.truth.pictures[0].data, timeout=TIMEOUT_S)
    if complaint := soak.truth.complaint(0, 1000, results.json()["results"], soak.truth.states()):
        soak.fail(f"at the end: {complaint}")
    soak.service.process.terminate()
    if code := soak.service.process.wait(TIMEOUT_S):
        soak.fail(f"the service ended with {code} after SIGTERM")
    for problem in audit(soak.store).problems:
        soak.fail(f"index verify: {problem}")


def report(soak: Soak, memory: Memory, seconds: float) -> None:
    """A table, and what failed."""
    rows = {
        "seconds": round(seconds),
        **dict(sorted(soak.counts.items())),
        "pictures at the end": sum(bool(state.is_in) for state in soak.truth.states().values()),
        "memory of its own, MB, at the end": round(memory.samples[-1][1], 1),
        "growth in the second half, MB": round(memory.growth_mb(), 1),
        "slope in the second half, MB an hour": round(memory.slope_mb_per_hour(), 1),
        "open files, first and last": f"{memory.samples[0][2]} {memory.samples[-1][2]}",
        "lost or resurrected pictures, wrong answers, other failures": len(soak.failures),
    }
    for name, value in rows.items():
        print(f"{name:<64}{value:>10}")
    for failure in soak.failures[:20]:
        print(f"FAILED {failure}")


def run(bundle: Path, folder: Path, seconds: float, seed: int) -> int:
    """The whole soak; how many failures."""
    rng, store = random.Random(seed), SnapshotStore(folder / "store")
    write_gallery(folder / "gallery", N_ORIGINALS)
    predictor = Predictor.open(bundle, Device.CPU)
    truth = Truth(predictor, range(N_PICTURES), N_ORIGINALS)
    rebuild(store, predictor, root=GalleryRoot(path=folder / "gallery"))
    del predictor
    service = Service(bundle, store.root, folder / "service.log")
    service.open(service.start())
    soak = Soak(service, truth, store)
    writers = [Writer(soak, rng.randrange(2**32), list(range(i, N_PICTURES, N_WRITERS))) for i in range(N_WRITERS)]
    readers = [Reader(soak, rng.randrange(2**32)) for _ in range(N_READERS)]
    workers: list[threading.Thread] = [*writers, *readers, Admin(soak, rng.randrange(2**32))]
    begin = time.monotonic()
    for worker in workers:
        worker.start()
    try:
        kill_again_and_again(soak, rng, begin + seconds / 2)
        workers.append(memory := Memory(service, soak.stop))
        memory.start()
        time.sleep(max(seconds / 4, begin + seconds - time.monotonic()))
        soak.stop.set()
        for worker in workers:
            worker.join(TIMEOUT_S)
        check_the_end(soak)
    finally:
        soak.stop.set()
        service.process.kill()
        service.process.wait()
    if seconds >= LONG_S and memory.growth_mb() > GROWTH_MB:
        soak.fail(f"memory grew by {memory.growth_mb():.0f} MB")
    if memory.samples[-1][2] > memory.samples[0][2] + GROWTH_FILES:
        soak.fail("open files grew")
    report(soak, memory, time.monotonic() - begin)
    return len(soak.failures)


def main() -> None:
    """Parse, run, and end with 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bundle", type=Path, default=ROOT / "models/mikels-lite0")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(min(1, run(arguments.bundle, Path(folder), 60 * arguments.minutes, arguments.seed)))


if __name__ == "__main__":
    main()
