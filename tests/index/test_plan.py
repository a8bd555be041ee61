import time

import numpy as np
import pytest

from emotion.runtime import Device
from index.device import to_device
from index.gpu import GpuMemory
from index.plan import CANDIDATES_PER_HIT, EXACT_MAX_BYTES, _steps, plan_index
from index.recall import RecallProbe, measure_recall
from index.search import SearchIndex
from index.spec import IndexChoice, IndexKind, WantedKind


@pytest.fixture
def planned(gallery_rows):
    """Plans the index of some vectors; gives the specification and the index ready to be searched."""

    def plan(vectors: np.ndarray, kind: WantedKind = WantedKind.AUTO, recall: float = 0.99, **options):
        rows = gallery_rows(vectors)
        index, spec = plan_index(rows, IndexChoice(kind=kind, recall=recall), RecallProbe.draw(vectors), **options)
        return spec, SearchIndex(to_device(index, Device.CPU), vectors, rows.ids, spec.ivf)

    return plan


def test_a_small_gallery_is_searched_exactly(planned, clustered):
    spec, _ = planned(clustered(2000))
    assert (spec.kind, spec.ivf) == (IndexKind.FLAT, None)
    assert spec.reason == "an exact query reads 0 MiB, fast up to 16 MiB"


def test_6_000_pictures_are_few_and_23_000_many():
    assert 6_000 * 680 * 4 < EXACT_MAX_BYTES < 23_000 * 680 * 4


@pytest.mark.parametrize("target", [0.9, 0.99, 1.0])
def test_a_large_gallery_is_tuned_until_the_target_is_met(planned, clustered, target):
    vectors = clustered(4000)
    spec, index = planned(vectors, recall=target, exact_max_bytes=1000)
    assert spec.kind is IndexKind.IVF
    assert measure_recall(index, vectors) >= target
    assert spec.ivf.target_recall == target
    assert spec.ivf.n_queries == 256
    assert spec.reason.startswith("an exact query would read 0 MiB, more than")


def test_a_higher_target_reads_more(planned, clustered):
    vectors = clustered(4000)
    low, high = (planned(vectors, WantedKind.IVF, recall)[0].ivf for recall in (0.8, 0.999))
    assert low.n_probe < high.n_probe < high.n_lists


def test_fewer_lists_would_miss_the_target(planned, clustered):
    """The parameters are the smallest of those tried; half of what may be missed is margin."""
    vectors = clustered(4000)
    spec, index = planned(vectors, WantedKind.IVF)
    fewer = spec.ivf.model_copy(
        update={"n_probe": max(step for step in _steps(spec.ivf.n_lists) if step < spec.ivf.n_probe)}
    )
    narrower = SearchIndex(index._index, vectors, index._ids, fewer)
    assert measure_recall(narrower, vectors) < 0.995 <= measure_recall(index, vectors)
    assert spec.ivf.reasons[-1].endswith(f"lists would find {measure_recall(narrower, vectors):.3f}")


@pytest.mark.parametrize(("rank", "expected"), [(6, 32), (50, 64), (100, None)])
def test_as_few_directions_as_the_neighbours_allow(planned, rank, expected):
    """Vectors that spread evenly over `rank` of 100 dimensions: fewer directions would mix their neighbours up."""
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(3000, rank)) @ np.linalg.qr(rng.normal(size=(100, rank)))[0].T).astype(np.float32)
    spec, index = planned(vectors, WantedKind.IVF)
    assert spec.ivf.n_directions == expected
    assert measure_recall(index, vectors) >= 0.99
    left_out = [reason.split(" ")[0] for reason in spec.ivf.reasons if "directions" in reason]
    assert left_out == [str(n) for n in (32, 64) if n < (expected or 100)]


def test_what_was_chosen_is_told_with_its_reasons(planned, clustered):
    spec, _ = planned(clustered(4000, 64), WantedKind.IVF)
    told = spec.ivf.described(64)
    assert told.startswith(f"reads {spec.ivf.n_probe} of {spec.ivf.n_lists} lists, 32 of 64 numbers a picture")
    assert "because" in told
    assert "lists would find 0.9" in told


def test_what_is_asked_for_is_built(planned, clustered):
    vectors = clustered(3000)
    assert planned(vectors, WantedKind.FLAT, exact_max_bytes=1)[0].kind is IndexKind.FLAT
    spec, index = planned(vectors, WantedKind.IVF)
    assert (spec.kind, spec.reason) == (IndexKind.IVF, "asked for")
    assert measure_recall(index, vectors) >= 0.99


@pytest.mark.parametrize("n", [1, 2, 12, 60])
def test_the_smallest_galleries_can_have_lists_too(planned, clustered, n):
    vectors = clustered(n)
    spec, index = planned(vectors, WantedKind.IVF)
    assert spec.ivf.n_lists == 1
    assert measure_recall(index, vectors) == 1.0
    assert len(index.search(vectors[:1], 100)[0]) == n


def test_same_gallery_same_plan(planned, clustered):
    vectors = clustered(3000)
    (first, first_index), (second, second_index) = (planned(vectors, WantedKind.IVF) for _ in range(2))
    assert first == second
    assert [h.ids for h in first_index.search(vectors[:50], 10)] == [
        h.ids for h in second_index.search(vectors[:50], 10)
    ]


def test_a_target_that_cannot_be_met_stays_exact(planned, clustered):
    """2000 pictures within a ten-thousandth of one another: 8 bits a number, for all pictures, cannot order them."""
    rng = np.random.default_rng(0)
    vectors = clustered(4000)
    vectors[:2000] = vectors[0] + 1e-5 * rng.normal(size=(2000, 32))
    spec, _ = planned(vectors, exact_max_bytes=1000)
    assert spec.kind is IndexKind.FLAT
    assert spec.reason.startswith("an approximate index reached a recall of 0.")
    asked_for, index = planned(vectors, WantedKind.IVF)
    assert asked_for.ivf.n_probe == asked_for.ivf.n_lists
    assert asked_for.ivf.candidates_per_hit == CANDIDATES_PER_HIT[-1]
    assert measure_recall(index, vectors) < 0.99


@pytest.mark.parametrize(
    ("device", "total_gb", "kind"),
    [
        (Device.CUDA, 1, IndexKind.FLAT),
        (Device.AUTO, 1, IndexKind.FLAT),
        (Device.CPU, 1, IndexKind.IVF),
        (Device.CUDA, 0.1, IndexKind.IVF),
    ],
)
def test_a_gpu_searches_exactly_what_it_can_hold_twice(planned, clustered, monkeypatch, device, total_gb, kind):
    monkeypatch.setattr("index.plan.gpu_is_available", lambda: True)
    monkeypatch.setattr("index.plan.gpu_memory", lambda: GpuMemory(0, int(total_gb * 1e9)))
    spec, _ = planned(clustered(2000), device=device, exact_max_bytes=1000)
    assert spec.kind is kind
    assert ("fit the GPU's memory" in spec.reason) is (kind is IndexKind.FLAT)


def test_the_steps_of_tuning_end_with_every_list():
    assert list(_steps(1)) == [1]
    assert list(_steps(10)) == [1, 2, 3, 4, 6, 8, 10]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_thousand_pictures(planned, clustered):
    vectors = clustered(100_000, 680)
    spec, index = planned(vectors)
    flat_spec, flat = planned(vectors, WantedKind.FLAT)
    assert (spec.kind, flat_spec.kind) == (IndexKind.IVF, IndexKind.FLAT)
    assert measure_recall(index, vectors) >= 0.99
    queries = clustered(20, 680, seed=1)

    def seconds(one: SearchIndex) -> float:
        one.search(queries[:1], 10)
        start = time.perf_counter()
        for query in queries:
            one.search(query[None], 10)
        return time.perf_counter() - start

    assert 3 * seconds(index) < seconds(flat)
