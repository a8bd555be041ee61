"""The map of a gallery: near stays near, whatever the gallery, and it goes with its snapshot."""

import numpy as np
import pytest

from emotion.errors import SnapshotCorruptError
from index.compact import compact
from index.manifest import read_manifest
from index.progress import Progress, Stage
from index.projection import TSNE_FROM, lay_flat
from index.rebuild import rebuild
from index.recall import RecallProbe
from index.snapshot import MAP, read_snapshot
from index.spec import MapMethod


def test_near_stays_near_better_than_along_two_directions(clustered):
    vectors = clustered(300)
    layout = lay_flat(vectors)
    plain = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)[0][:, :2]
    probe = RecallProbe.draw(vectors)
    assert (layout.method, layout.n_landmarks) == (MapMethod.TSNE, 300)
    assert probe.kept(layout.positions) > 0.5 > 1.5 * probe.kept(plain.astype(np.float32))


def test_pictures_that_are_no_landmarks_lie_beside_those_like_them(clustered):
    vectors = clustered(600)
    layout = lay_flat(vectors, most_landmarks=200)
    assert (layout.n_landmarks, len(layout.positions)) == (200, 600)
    assert RecallProbe.draw(vectors).kept(layout.positions) > 0.4


def test_a_copy_of_a_landmark_lies_where_it_lies(clustered):
    vectors = np.repeat(clustered(60), 10, axis=0)
    positions = lay_flat(vectors, most_landmarks=200).positions
    assert len(np.unique(positions.round(2), axis=0)) <= 60 * 2


@pytest.mark.parametrize("n_landmarks", [100, 50])
def test_same_vectors_same_map(clustered, n_landmarks):
    first, second = (lay_flat(clustered(100), most_landmarks=n_landmarks).positions for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("dim", [1, 2, 8])
@pytest.mark.parametrize("n", [1, 2, 5, TSNE_FROM - 1])
def test_few_pictures_lie_along_principal_components(n, dim):
    vectors = np.random.default_rng(0).normal(size=(n, dim)).astype(np.float32)
    layout = lay_flat(vectors)
    assert layout.method is MapMethod.PRINCIPAL_COMPONENTS
    assert layout.positions.shape == (n, 2)
    assert ((layout.positions >= 0) & (layout.positions <= 1)).all()
    assert np.ptp(layout.positions[:, 0]) == pytest.approx(1 if n > 1 else 0, abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 100])
def test_equal_vectors_lie_in_one_place(n):
    layout = lay_flat(np.ones((n, 8), np.float32))
    np.testing.assert_allclose(layout.positions, 0.5, atol=1e-6)


def test_how_far_it_is_rises_to_the_end(clustered):
    for most in (100, 50):
        shares: list[float] = []
        lay_flat(clustered(100), most_landmarks=most, on_share=shares.append)
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1)


def test_what_a_map_keeps_is_counted(clustered):
    """Neighbours on a line of which every second one was moved far away."""
    line = np.arange(20, dtype=np.float32)
    vectors, moved = np.column_stack([line, line * 0]), np.column_stack([line, 1000 * (line % 2)])
    assert RecallProbe.draw(vectors, k=2).kept(vectors) == 1
    # Only the two ends keep one of their two: what lies two steps away, as the nearer one is out of sight.
    assert RecallProbe.draw(vectors, k=2).kept(moved.astype(np.float32)) == pytest.approx(2 / 40)


def test_a_build_draws_the_map_and_says_so(store, predictor, gallery, built):
    events: list[Progress] = []
    manifest = rebuild(built, predictor, on_progress=events.append).manifest
    snapshot = built.load()
    assert snapshot.positions is not None
    assert snapshot.positions.shape == (6, 2)
    assert manifest.map is not None
    assert (manifest.map.method, manifest.map.n_landmarks) == (MapMethod.PRINCIPAL_COMPONENTS, 6)
    assert MAP in manifest.files
    assert events[-4:-2] == [Progress(Stage.MAP, 6, 6), Progress(Stage.BUILD, 0, 6)]
    again = rebuild(built, predictor)
    assert again.manifest.files[MAP] == manifest.files[MAP]


def test_compacting_draws_it_anew(built):
    from index.additions import remove_picture

    remove_picture(built, built.load().ids[0])
    manifest = compact(built).manifest
    positions = built.load().positions
    assert positions is not None
    assert len(positions) == manifest.count == 5


def test_a_snapshot_from_before_there_were_maps_is_whole(store, draft):
    with store.writer_lock():
        staged = store.stage(draft())
    assert "map" not in staged.manifest.model_dump()
    assert not (staged.folder / MAP).exists()
    assert read_snapshot(staged.folder).positions is None


def test_a_damaged_map_is_named(built):
    folder = built.snapshots / (built.current_version() or "")
    content = bytearray((folder / MAP).read_bytes())
    content[-1] ^= 1
    (folder / MAP).write_bytes(content)
    with pytest.raises(SnapshotCorruptError, match=r"map\.npy differs"):
        read_snapshot(folder)
    (folder / MAP).unlink()
    with pytest.raises(SnapshotCorruptError, match=r"map\.npy is missing"):
        read_snapshot(folder)
    assert read_manifest(folder).map is not None
