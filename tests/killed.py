"""Processes that change a gallery are killed with SIGKILL at random moments; what they had answered must hold.

Run as a program, so that what is killed was forked from a process without threads:
python killed.py FOLDER ROUNDS SEED LONGEST_LIFE_S
"""

import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from emotion.errors import EmptyGalleryError
from fakes import encoded, tiny_predictor, write_gallery
from index.additions import NewPicture, add_picture, embed_picture, remove_picture
from index.catalog import PictureState
from index.compact import compact
from index.embed import made_with
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore
from index.view import follow, joined

N_PICTURES = 16
N_ORIGINALS = 4
_ACTIONS = ("add", "add", "add", "remove", "remove", "compact", "rebuild")


class Gallery:
    """Pictures, and what is known of a store that holds some of them."""

    def __init__(self, folder: Path) -> None:
        self.predictor = tiny_predictor(folder)
        self.news = [NewPicture(encoded(seed)) for seed in range(N_PICTURES)]
        self.rows = [embed_picture(self.predictor, new) for new in self.news]
        write_gallery(folder / "gallery", N_ORIGINALS)
        self.root = folder / "store"
        rebuild(SnapshotStore(self.root), self.predictor, root=GalleryRoot(path=folder / "gallery"))

    def act(self, store: SnapshotStore, action: str, seed: int) -> None:
        """One change."""
        match action:
            case "add":
                add_picture(store, self.news[seed], self.rows[seed], made_with(self.predictor))
            case "remove":
                remove_picture(store, self.news[seed].id)
            case "compact" | "rebuild":
                with contextlib.suppress(EmptyGalleryError):
                    compact(store) if action == "compact" else rebuild(store, self.predictor)

    def found(self) -> set[int]:
        """Pictures that a process that starts now finds, all at their exact distances."""
        store = SnapshotStore(self.root)
        snapshot = store.load()
        gallery = joined(snapshot, follow(snapshot, store.catalog).refresh())
        query = self.rows[0].vector
        (hits,) = gallery.index.search(query[None], len(gallery.ids))
        deleted = store.catalog.ids(PictureState.DELETED)
        seeds = {new.id: seed for seed, new in enumerate(self.news)}
        for item_id, distance in zip(hits.ids, hits.distances, strict=True):
            exact = np.linalg.norm(self.rows[seeds[item_id]].vector.astype(np.float64) - query)
            assert abs(distance - exact) < 1e-6, "a vector of another picture"
        shown = set(hits.ids) - deleted
        assert len(set(hits.ids)) == len(hits.ids), "a picture is found twice"
        assert shown == store.catalog.ids(PictureState.ACTIVE), "catalog and index differ"
        for entry in store.catalog.get_many(shown).values():
            assert entry.path.is_file(), "an active picture has no file"
        return {seeds[item_id] for item_id in shown}


def live(gallery: Gallery, rng: random.Random, answers: int) -> None:
    """Change the gallery until killed; every change is announced before and answered after."""
    store = SnapshotStore(gallery.root)
    while True:
        action, seed = rng.choice(_ACTIONS), rng.randrange(N_PICTURES)
        os.write(answers, f"begin {action} {seed}\n".encode())
        gallery.act(store, action, seed)
        os.write(answers, f"done {action} {seed}\n".encode())


def killed_round(gallery: Gallery, rng: random.Random, longest_life_s: float) -> list[str]:
    """Start a process, kill it, and give what it had to say."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            live(gallery, random.Random(rng.random()), writing)
        finally:
            os._exit(1)  # only an exception leads here
    os.close(writing)
    time.sleep(rng.uniform(0, longest_life_s))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as stream:
        lines = stream.read().splitlines()
    assert os.WIFSIGNALED(status), f"the process ended by itself after: {lines[-1:]}"
    return lines


def expectation(known: set[int], lines: list[str]) -> tuple[set[int], set[int]]:
    """Pictures that must be found, and those that may be: a change that was not answered may or may not hold."""
    certain, open_ = set(known), set[int]()
    for line in lines:
        word, action, seed_text = line.split()
        seed = int(seed_text)
        if action not in ("add", "remove"):
            continue
        if word == "begin":
            open_ = {seed}
        else:
            open_ = set()
            certain = certain | {seed} if action == "add" else certain - {seed}
    return certain - open_, certain | open_


def main(folder: Path, n_rounds: int, seed: int, longest_life_s: float) -> dict[str, Any]:
    """Kill, look, go on from what is there."""
    rng = random.Random(seed)
    gallery = Gallery(folder)
    known = gallery.found()
    n_changes = 0
    for n_round in range(n_rounds):
        lines = killed_round(gallery, rng, longest_life_s)
        n_changes += sum(line.startswith("done") for line in lines)
        at_least, at_most = expectation(known, lines)
        known = gallery.found()
        assert at_least <= known <= at_most, (n_round, lines[-3:], at_least - known, known - at_most)
    SnapshotStore(gallery.root).verify()
    return {"kills": n_rounds, "changes": n_changes, "pictures": len(known)}


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
