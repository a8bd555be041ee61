import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion.errors import ConfigError, DataError
from emotion.images import decode, to_rgb8
from emotion.preprocess import PreprocessSpec, prepare
from emotion.taxonomy import MIKELS
from fakes import encoded, picture, write_gallery
from training.config import AugmentConfig
from training.data.cache import PictureCache
from training.data.dataset import PictureDataset
from training.data.loader import training_loader
from training.data.sampler import BalancedBatches
from training.data.samples import Sample, class_counts, read_samples, report_skipped
from training.data.splits import hold_out, load_or_make_folds, make_folds

SPEC = PreprocessSpec(size_px=16)


def _samples(n: int, copies: int = 1) -> list[Sample]:
    return [Sample(Path(f"{i}-{c}.png"), i % 4, f"digest{i}") for i in range(n) for c in range(copies)]


def test_samples_carry_label_and_content_hash(tmp_path: Path) -> None:
    write_gallery(tmp_path, 4)
    samples, skipped = read_samples(tmp_path, MIKELS)
    assert class_counts(samples, MIKELS) == dict.fromkeys(MIKELS.names, 0) | {"awe": 2, "fear": 2}
    assert samples[0].digest == hashlib.sha256(samples[0].path.read_bytes()).hexdigest()
    assert skipped == []


@pytest.mark.parametrize(
    ("rows", "kind", "message"),
    [
        ("b.png,joy", "unlabelled", r"labelled 'joy'; taxonomy 'mikels' has: amusement"),
        ("b.png,", "unlabelled", "no label"),
        ("b.png,awe|fear", "unlabelled", "several labels"),
        ("gone.png,awe", "unreadable", r"cannot read .*gone\.png"),
        ("broken.png,awe", "unreadable", r"broken\.png begins like a PNG but cannot be decoded"),
        ("copy.png,awe", "duplicate", r"copy\.png has the same bytes as .*a\.png$"),
        ("copy.png,fear", "duplicate", r"but is labelled 'fear', not 'awe'"),
    ],
)
def test_what_cannot_be_trained_on_is_listed_and_the_rest_is_used(
    tmp_path: Path, rows: str, kind: str, message: str
) -> None:
    for name in ("a.png", "b.png", "copy.png"):
        (tmp_path / name).write_bytes(encoded(name == "b.png"))
    (tmp_path / "broken.png").write_bytes(encoded(2)[:200])
    (tmp_path / "manifest.csv").write_text(f"path,label\na.png,awe\n{rows}\nb.png,fear\n")
    samples, skipped = read_samples(tmp_path, MIKELS)
    assert [sample.path.name for sample in samples] == ["a.png", "b.png"]
    assert [item.kind for item in skipped] == [kind]
    assert re.search(message, skipped[0].reason)
    report_skipped(skipped, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "skipped.json").read_text())[0]["kind"] == kind


def test_nothing_to_train_on_says_why(tmp_path: Path) -> None:
    (tmp_path / "joy").mkdir()
    (tmp_path / "joy" / "a.png").write_bytes(encoded(0))
    with pytest.raises(DataError, match=r"(?s)no picture to use.*labelled 'joy'"):
        read_samples(tmp_path, MIKELS)


def test_copies_share_a_fold_and_emotions_are_spread() -> None:
    samples = _samples(40, copies=2)
    folds = make_folds(samples, 5, seed=0)
    assert set(folds) == {sample.digest for sample in samples}
    for number in range(5):
        labels = Counter(sample.label for sample in samples if folds[sample.digest] == number)
        assert labels == {0: 4, 1: 4, 2: 4, 3: 4}
    assert folds == make_folds(samples, 5, seed=0)
    assert folds != make_folds(samples, 5, seed=1)


def test_saved_folds_are_used_again_and_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "folds.json"
    first = load_or_make_folds(path, _samples(20), 5, seed=3)
    assert load_or_make_folds(path, _samples(20), 5, seed=3) == first
    with pytest.raises(DataError, match="5 folds of seed 3, not 5 of seed 4"):
        load_or_make_folds(path, _samples(20), 5, seed=4)
    with pytest.raises(DataError, match="lacks 4 of 24"):
        load_or_make_folds(path, _samples(24), 5, seed=3)


def test_too_few_pictures_for_the_folds() -> None:
    with pytest.raises(DataError, match="5 folds need 5 pictures of each emotion; the rarest has 4"):
        make_folds(_samples(16), 5, seed=0)


def test_hold_out_is_stratified_and_disjoint() -> None:
    kept, held = hold_out(_samples(80, copies=2), 0.1, seed=0)
    assert len(held) == 16
    assert Counter(sample.label for sample in held) == {0: 4, 1: 4, 2: 4, 3: 4}
    assert not {s.digest for s in kept} & {s.digest for s in held}
    assert hold_out(_samples(8), 0, seed=0)[1] == []


def test_every_batch_has_enough_of_each_emotion_even_of_rare_ones() -> None:
    labels = [0] * 50 + [1] * 5 + [2] * 20
    batches = list(BalancedBatches(labels, batch_size=16, min_per_class=4, seed=0))
    assert len(batches) == 75 // 16
    for batch in batches:
        counts = Counter(labels[row] for _, row in batch)
        assert len(batch) == 16
        assert min(counts[c] for c in (0, 1, 2)) >= 4


def test_batches_depend_on_seed_and_epoch_alone() -> None:
    def batches(seed: int, epoch: int) -> list[list[int]]:
        sampler = BalancedBatches([0, 1] * 20, batch_size=8, min_per_class=2, seed=seed)
        sampler.epoch = epoch
        keys = list(sampler)
        assert {of for batch in keys for of, _ in batch} == {epoch}
        return [[row for _, row in batch] for batch in keys]

    assert batches(1, 2) == batches(1, 2)
    assert batches(1, 2) != batches(1, 3)
    assert batches(1, 2) != batches(2, 2)


def test_a_batch_too_small_for_its_emotions_names_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"data\.batch_size=8 cannot hold data\.min_per_class=4"):
        BalancedBatches([0, 1, 2], batch_size=8, min_per_class=4, seed=0)


@pytest.mark.parametrize("world_size", [2, 4])
def test_the_shares_of_several_processes_make_up_the_batches_of_one(world_size: int) -> None:
    labels = [0, 1, 2, 3] * 10
    whole = list(BalancedBatches(labels, 16, 4, seed=0))
    shares = [list(BalancedBatches(labels, 16, 4, seed=0, rank=r, world_size=world_size)) for r in range(world_size)]
    for number, batch in enumerate(whole):
        parts = [share[number] for share in shares]
        assert [key for row in zip(*parts, strict=True) for key in row] == batch
        for part in parts:
            assert Counter(labels[row] for _, row in part) == dict.fromkeys(range(4), 4 // world_size)


def test_a_batch_that_processes_cannot_share_names_one_that_they_can() -> None:
    with pytest.raises(ConfigError, match=r"data\.batch_size=16 .* does not divide into 3; take 18"):
        BalancedBatches([0, 1], batch_size=16, min_per_class=4, seed=0, rank=0, world_size=3)


def _dataset(folder: Path, **options: object) -> PictureDataset:
    write_gallery(folder, 3)
    return PictureDataset(read_samples(folder, MIKELS).samples, SPEC, **options)  # type: ignore[arg-type]


def test_without_augmentation_the_network_sees_what_serving_shows_it(tmp_path: Path) -> None:
    data = _dataset(tmp_path)
    for index, sample in enumerate(data.samples):
        picture = decode(sample.path.read_bytes(), min_side=SPEC.min_side_px)
        assert np.array_equal(data[index][0].numpy(), prepare(picture, SPEC))
        assert data[index][1] == sample.label


@pytest.mark.parametrize("cache_mb", [0, 10])
def test_a_random_view_depends_on_seed_epoch_and_index_alone(tmp_path: Path, cache_mb: int) -> None:
    data = _dataset(tmp_path, augment=AugmentConfig(jitter=0.2, degrade=0.5), seed=5, cache_mb=cache_mb)
    before = torch.random.get_rng_state()
    first = data[0, 1][0]
    torch.rand(7)
    assert torch.equal(data[0, 1][0], first)
    assert torch.equal(data[1][0], first)
    assert not torch.equal(data[1, 1][0], first)
    assert first.shape == (3, 16, 16)
    torch.random.set_rng_state(before)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_worker_processes_give_the_same_batches_in_every_epoch(tmp_path: Path) -> None:
    write_gallery(tmp_path, 12)
    samples = read_samples(tmp_path, MIKELS).samples

    def epochs(n_workers: int) -> list[torch.Tensor]:
        batches = BalancedBatches([sample.label for sample in samples], batch_size=4, min_per_class=2, seed=0)
        loader = training_loader(
            PictureDataset(samples, SPEC, AugmentConfig()), batches, n_workers, torch.device("cpu")
        )
        pixels = []
        for epoch in range(2):
            batches.epoch = epoch
            pixels.append(torch.cat([batch for batch, _ in loader]))
        return pixels

    alone, helped = epochs(0), epochs(2)
    assert alone[0].shape == (12, 3, 16, 16)
    assert not torch.equal(alone[0], alone[1])
    assert all(torch.equal(one, other) for one, other in zip(alone, helped, strict=True))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_what_one_worker_has_decoded_none_decodes_again(tmp_path: Path) -> None:
    write_gallery(tmp_path, 12)
    samples = read_samples(tmp_path, MIKELS).samples
    batches = BalancedBatches([sample.label for sample in samples], batch_size=4, min_per_class=2, seed=0)
    loader = training_loader(PictureDataset(samples, SPEC, AugmentConfig()), batches, 2, torch.device("cpu"))
    assert len(list(loader)) == 3
    for sample in samples:
        sample.path.unlink()
    batches.epoch = 1  # other pictures for each worker
    assert len(list(loader)) == 3


def test_the_cache_gives_back_the_pixels_and_keeps_to_its_room() -> None:
    pictures = [picture(seed, size=(500, 400)) for seed in range(3)]  # 0.6 MB each
    cache = PictureCache(len(pictures), size_mb=1)
    for index in (1, 1, 0, 2):
        cache.put(index, pictures[index])
    kept = cache.get(1)
    assert kept is not None
    assert np.array_equal(to_rgb8(kept), to_rgb8(pictures[1]))
    assert cache.get(0) is None
    assert cache.get(2) is None


def test_degraded_views_are_softer(tmp_path: Path) -> None:
    whole = {"crop_scale": (1.0, 1.0), "crop_ratio": (1.0, 1.0), "flip": False}
    sharp, soft = (_dataset(tmp_path, augment=AugmentConfig(**whole, degrade=share)) for share in (0.0, 1.0))
    steps = [torch.stack([data[epoch, 0][0] for epoch in range(8)]).diff(dim=-1).abs().mean() for data in (sharp, soft)]
    assert steps[1] < 0.8 * steps[0]


def test_a_random_view_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    data = _dataset(tmp_path, augment=AugmentConfig())
    before = torch.random.get_rng_state()
    data[0]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_unreadable_picture_stops_training_by_name(tmp_path: Path) -> None:
    data = _dataset(tmp_path)
    data.samples[0].path.write_bytes(b"x")
    with pytest.raises(DataError, match=r"0000\.png.*remove the picture"):
        data[0]
