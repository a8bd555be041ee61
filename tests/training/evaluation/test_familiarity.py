import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from emotion.bundle import file_sha256, with_manifest
from emotion.errors import BundleError, DataError
from emotion.network.spec import NetworkSpec
from emotion.predictor import Predictor
from emotion.taxonomy import MIKELS
from fakes import FakeRuntime, noise, tiny_bundle, tiny_predictor, write_gallery
from training.data.samples import read_samples
from training.evaluation.evaluate import evaluate, score
from training.evaluation.familiarity import HELD_OUT, as_json, as_table, familiarity_figures, measure_familiarity
from training.evaluation.non_photos import KINDS, draw_all
from training.evaluation.report import summary


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_gallery(tmp_path / "photos", 24)
    return tmp_path / "photos"


@pytest.fixture
def noises(tmp_path: Path) -> Path:
    folder = tmp_path / "noises"
    folder.mkdir()
    for seed in range(5):
        (folder / f"{seed}.png").write_bytes(noise(seed))
    return folder


def test_photos_non_photos_and_other_folders_each_have_a_row(tmp_path, photos, noises):
    rows = measure_familiarity(tiny_predictor(tmp_path), photos, [noises], n_each=3)
    assert [row.kind for row in rows] == [HELD_OUT, *KINDS, "noises"]
    assert [row.pictures for row in rows] == [24, 3, 3, 3, 3, 3, 5]
    held_out, *_, last = rows
    assert held_out.unfamiliar == 0
    assert held_out.auc is None
    assert (last.familiarity, last.unfamiliar, last.auc) == (0, 1, 1)


def test_every_row_has_a_name_of_its_own(tmp_path, photos, noises, monkeypatch):
    """Folders of one name, one that is called like a kind of non-photo, and the folder one is in."""
    for name in ("other/noises", "noise"):
        shutil.copytree(noises, tmp_path / name)
    monkeypatch.chdir(photos)
    others = [noises, tmp_path / "other" / "noises", tmp_path / "noise", Path()]
    rows = measure_familiarity(tiny_predictor(tmp_path), photos, others, n_each=1)
    names = [row.kind for row in rows][-4:]
    assert names == [*map(str, others[:3]), "photos"]
    assert len({row.kind for row in rows}) == len(rows)


def test_auc_is_the_share_of_pairs_in_the_right_order(tmp_path, photos):
    predictor = tiny_predictor(tmp_path)
    rows = measure_familiarity(predictor, photos, n_each=4)
    ours = score(predictor, read_samples(photos, MIKELS).samples).familiarity
    kind, pictures = next(iter(draw_all(4, 0)))
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for picture, path in zip(pictures, paths, strict=True):
        picture.save(path)
    theirs = predictor.predict(paths).familiarity
    pairs = [(a > b) + (a == b) / 2 for a in ours for b in theirs]
    (row,) = (row for row in rows if row.kind == kind)
    assert row.auc == pytest.approx(np.mean(pairs))


def test_training_pictures_and_unreadable_files_are_left_out_and_said(tmp_path, photos, capsys):
    predictor = tiny_predictor(tmp_path)
    digests = [sample.digest for sample in read_samples(photos, MIKELS).samples]
    known = Predictor(with_manifest(predictor.bundle, training_hashes=tuple(digests[:4])), FakeRuntime())
    (photos / "broken.png").write_bytes(b"nothing")
    assert measure_familiarity(known, photos, n_each=1)[0].pictures == 20
    said = capsys.readouterr().err
    assert "4 of 25 pictures trained this bundle" in said
    assert "broken.png" in said


def test_nothing_left_to_judge_is_an_error(tmp_path, photos):
    predictor = tiny_predictor(tmp_path)
    digests = tuple(sample.digest for sample in read_samples(photos, MIKELS).samples)
    known = Predictor(with_manifest(predictor.bundle, training_hashes=digests), FakeRuntime())
    with pytest.raises(DataError, match=r"photos holds no picture to judge \(24 of 24 trained this bundle\)"):
        measure_familiarity(known, photos)


def test_training_pictures_are_left_out_of_the_others_too(tmp_path, photos, noises):
    predictor = tiny_predictor(tmp_path)
    digests = [file_sha256(path) for path in sorted(noises.iterdir())]
    known = Predictor(with_manifest(predictor.bundle, training_hashes=tuple(digests[:2])), FakeRuntime())
    assert measure_familiarity(known, photos, [noises], n_each=1)[-1].pictures == 3
    known = Predictor(with_manifest(predictor.bundle, training_hashes=tuple(digests)), FakeRuntime())
    with pytest.raises(DataError, match=r"noises holds .*5 of 5 trained this bundle"):
        measure_familiarity(known, photos, [noises], n_each=1)


def test_a_picture_that_is_there_twice_counts_once(tmp_path, photos, capsys):
    (photos / "again.png").write_bytes(next((photos / "awe").iterdir()).read_bytes())
    assert measure_familiarity(tiny_predictor(tmp_path), photos, n_each=1)[0].pictures == 24
    assert "1 of 25 pictures have the bytes of another one" in capsys.readouterr().err


def emoset_list(folder):
    items = [["awe", f"awe_{p.stem}", str(p.relative_to(folder)), "none.json"] for p in sorted(folder.rglob("*.png"))]
    (folder / "test.json").write_text(json.dumps(items[:6]))
    return folder / "test.json"


def votes(folder):
    rows = [f"{path.relative_to(folder)},1,1" for path in sorted(folder.rglob("*.png"))[:6]]
    (folder / "votes.csv").write_text("\n".join(["file,awe,fear", *rows]))
    return folder / "votes.csv"


def labelled_in_column(folder):
    rows = [f"{path.relative_to(folder)},calm" for path in sorted(folder.rglob("*.png"))[:6]]
    (folder / "manifest.csv").write_text("\n".join(["path,mood", *rows]))
    return folder


@pytest.mark.parametrize("write", [emoset_list, votes, labelled_in_column])
def test_pictures_are_read_in_every_layout_and_need_no_label(tmp_path, photos, noises, write):
    rows = measure_familiarity(tiny_predictor(tmp_path), write(photos), [noises, write(photos)], n_each=1)
    assert [row.pictures for row in (rows[0], *rows[-2:])] == [6, 5, 6]


def test_a_bundle_that_does_not_measure_it_says_so(tmp_path, photos):
    old = Predictor(tiny_bundle(tmp_path / "old", network=NetworkSpec(), familiarity=None), FakeRuntime())
    with pytest.raises(BundleError, match="does not measure familiarity"):
        measure_familiarity(old, photos)


def test_the_table_and_the_json_have_a_row_for_each_kind(tmp_path, photos):
    rows = measure_familiarity(tiny_predictor(tmp_path), photos, n_each=1)
    assert len(as_table(rows).splitlines()) == 2 + len(rows)
    assert [row["kind"] for row in as_json(rows)] == [row.kind for row in rows]
    assert as_json(rows)[0]["auc"] is None


@pytest.mark.parametrize("kind", KINDS)
def test_non_photos_are_rgb_and_follow_their_seed(kind):
    first, again, other = (dict(draw_all(3, seed))[kind] for seed in (0, 0, 1))
    assert all(picture.mode == "RGB" for picture in first)
    same, others = ([np.array_equal(a, b) for a, b in zip(first, group, strict=True)] for group in (again, other))
    assert same == [True, True, True]
    assert others == [False, False, False]
    assert not np.array_equal(first[0], first[1])


def test_an_evaluation_tells_the_mean_and_the_share(tmp_path, noises):
    write_gallery(tmp_path / "mixed", 6)
    (tmp_path / "mixed" / "awe" / "noise.png").write_bytes(noise())
    samples = read_samples(tmp_path / "mixed", MIKELS).samples
    predictor = tiny_predictor(tmp_path)
    scored = score(predictor, samples)
    assert familiarity_figures(scored) == {
        "familiarity": pytest.approx(np.mean(scored.familiarity), abs=1e-5),
        "unfamiliar": pytest.approx(1 / 7, abs=1e-5),
    }
    assert "14% are unlike what the model learnt from" in summary(evaluate(scored, MIKELS), scored, "mixed")
    old = Predictor(tiny_bundle(tmp_path / "old", network=NetworkSpec(), familiarity=None), FakeRuntime())
    without = score(old, samples)
    assert familiarity_figures(without) == {}
    assert "unlike" not in summary(evaluate(without, MIKELS), without, "mixed")
