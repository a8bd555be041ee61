"""After any sequence of add, delete, search, compact, rebuild, rollback and restart the answers equal brute force.

The model of the gallery is a dictionary; everything else is the real thing, on disk, but for the network.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emotion.errors import EmptyGalleryError, StoreMissingError
from fakes import encoded, tiny_predictor, write_gallery
from index.additions import NewPicture, add_picture, embed_picture, remove_picture
from index.catalog import PictureState
from index.compact import compact
from index.embed import made_with
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.spec import WantedKind
from index.store import SnapshotStore
from index.view import follow, joined

N_ORIGINALS = 4
SEEDS = st.integers(0, 11)
"""Of pictures; the first four lie in the gallery's own folder."""


class LiveGallery(RuleBasedStateMachine):
    """A gallery of twelve possible pictures."""

    kind = WantedKind.FLAT
    folder: Path

    @initialize()
    def build(self) -> None:
        """A published gallery of four pictures."""
        self.folder = Path(tempfile.mkdtemp())
        self.predictor = tiny_predictor(self.folder)
        self.news = {seed: NewPicture(encoded(seed)) for seed in range(12)}
        self.rows = {seed: embed_picture(self.predictor, new) for seed, new in self.news.items()}
        write_gallery(self.folder / "gallery", N_ORIGINALS)
        self.store = SnapshotStore(self.folder / "store")
        rebuild(self.store, self.predictor, root=GalleryRoot(path=self.folder / "gallery"), kind=self.kind)
        self.expected = {self.news[seed].id: seed for seed in range(N_ORIGINALS)}
        self.restart()

    def teardown(self) -> None:
        """Remove the files."""
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @rule(seed=SEEDS)
    def add(self, seed: int) -> None:
        """A picture, new or not."""
        new = self.news[seed]
        added = add_picture(self.store, new, self.rows[seed], made_with(self.predictor))
        assert added.created == (new.id not in self.expected)
        self.expected[new.id] = seed

    @rule(seed=SEEDS)
    def remove(self, seed: int) -> None:
        """A picture, there or not."""
        item_id = self.news[seed].id
        assert remove_picture(self.store, item_id) == (item_id in self.expected)
        self.expected.pop(item_id, None)

    @rule()
    def compact(self) -> None:
        """Fold in."""
        try:
            compact(self.store)
        except EmptyGalleryError:
            assert not self.expected

    @rule()
    def rebuild(self) -> None:
        """Scan the folder again."""
        try:
            rebuild(self.store, self.predictor)
        except EmptyGalleryError:
            assert not self.expected

    @precondition(lambda self: hasattr(self, "store"))
    @rule()
    def roll_back(self) -> None:
        """Publish the version before."""
        try:
            self.store.rollback()
        except StoreMissingError:
            assert self.store.current_version() == self.store.versions()[0]

    @rule()
    def restart(self) -> None:
        """What a process that starts now would load."""
        self.store = SnapshotStore(self.store.root)
        self.snapshot = self.store.load()
        self.reader = follow(self.snapshot, self.store.catalog)

    @invariant()
    def search(self) -> None:
        """Every picture that is expected, and no other, at its exact distance and rank."""
        if not hasattr(self, "reader"):
            return
        if self.snapshot.manifest.version != self.store.current_version():
            self.restart()  # a service follows CURRENT
        gallery = joined(self.snapshot, self.reader.refresh())
        query = self.rows[5].vector
        (hits,) = gallery.index.search(query[None], len(gallery.ids))
        deleted = self.store.catalog.ids(PictureState.DELETED)
        found = [(item_id, float(d)) for item_id, d in zip(hits.ids, hits.distances, strict=True)]
        shown = [(item_id, distance) for item_id, distance in found if item_id not in deleted]
        exact = {
            item_id: float(np.float32(np.sqrt(((self.rows[seed].vector.astype(np.float64) - query) ** 2).sum())))
            for item_id, seed in self.expected.items()
        }
        assert shown == sorted(exact.items(), key=lambda pair: (pair[1], pair[0]))
        assert self.store.catalog.ids(PictureState.ACTIVE) == set(self.expected)
        for entry in self.store.catalog.get_many(self.expected).values():
            assert entry.path.is_file()


class ListsOfPictures(LiveGallery):
    """The same with an approximate index; all its lists are read when everything is asked for."""

    kind = WantedKind.IVF


LOOSE = [HealthCheck.too_slow, HealthCheck.data_too_large]
FEW = settings(max_examples=5, stateful_step_count=10, deadline=None, suppress_health_check=LOOSE)
MANY = settings(max_examples=300, stateful_step_count=40, deadline=None, suppress_health_check=LOOSE)


class TestLiveGallery(LiveGallery.TestCase):  # type: ignore[misc, name-defined]
    """A few sequences."""

    settings = FEW


@pytest.mark.slow
@pytest.mark.timeout(3600)
class TestManySequences(LiveGallery.TestCase):  # type: ignore[misc, name-defined]
    """Hundreds of sequences."""

    settings = MANY


@pytest.mark.slow
@pytest.mark.timeout(3600)
class TestManySequencesWithLists(ListsOfPictures.TestCase):  # type: ignore[misc, name-defined]
    """Hundreds of sequences over an approximate index."""

    settings = MANY
