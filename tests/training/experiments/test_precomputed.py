"""Files of SentiBank features: both forms, and what is wrong with a file that is none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotion.errors import DataError
from emotion.taxonomy import MIKELS
from textures import write_textures
from training.data.samples import Sample, read_samples
from training.experiments.feature_svm import FeatureSvm
from training.experiments.precomputed import read_precomputed

D = 4


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return read_samples(write_textures(tmp_path / "photos", 3), MIKELS).samples


def _values(samples: list[Sample]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(len(samples), D)).astype(np.float32)


def _csv(path: Path, key: str, names: list[str], rows: np.ndarray) -> Path:
    lines = [",".join([key, *(f"v{place}" for place in range(rows.shape[1]))])]
    lines += [",".join([name, *map(str, row)]) for name, row in zip(names, rows.tolist(), strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def _npz(path: Path, key: str, names: list[str], rows: np.ndarray) -> Path:
    np.savez(path, allow_pickle=False, features=rows, **{key: np.array(names)})
    return path


@pytest.mark.parametrize("key", ["path", "sha256"])
@pytest.mark.parametrize(("write", "name"), [(_csv, "features.csv"), (_npz, "features.npz")])
def test_both_forms_find_their_pictures(
    write: Callable[..., Path], name: str, key: str, samples: list[Sample], tmp_path: Path
) -> None:
    """Paths are relative to the file, hashes may be in capitals; the order of the file does not matter."""
    values = _values(samples)
    names = [sample.digest.upper() if key == "sha256" else str(sample.path.relative_to(tmp_path)) for sample in samples]
    file = write(tmp_path / name, key, names[::-1], values[::-1])
    assert read_precomputed(file, D).of(samples) == pytest.approx(values, abs=1e-6)


def test_empty_lines_of_a_csv_are_none(samples: list[Sample], tmp_path: Path) -> None:
    file = _csv(tmp_path / "f.csv", "path", [str(sample.path) for sample in samples], values := _values(samples))
    file.write_text(file.read_text().replace("\n", "\n\n"))
    assert read_precomputed(file, D).of(samples) == pytest.approx(values, abs=1e-6)


def test_they_serve_as_features(samples: list[Sample], tmp_path: Path) -> None:
    rows = np.eye(8, dtype=np.float32)[[sample.label for sample in samples]]
    file = _npz(tmp_path / "f.npz", "sha256", [sample.digest for sample in samples], rows)
    method = FeatureSvm(read_precomputed(file, 8), 8)
    train = [sample for sample in samples if sample.path.stem != "2"]
    test = [sample for sample in samples if sample.path.stem == "2"]
    scored = method.score_fold(train, test, tmp_path).test
    assert (scored.probs.argmax(axis=1) == scored.labels).all()
    assert method.settings["features"]["n_values"] == 8


def test_pictures_that_the_file_lacks_are_named(samples: list[Sample], tmp_path: Path) -> None:
    file = _npz(tmp_path / "f.npz", "path", [str(sample.path) for sample in samples[:-5]], _values(samples[:-5]))
    with pytest.raises(DataError, match=r"lacks 5 of 12 pictures, looked for by path: .*\.png.* \.\.\."):
        read_precomputed(file, D).check(samples)


def _other_width(path: Path, names: list[str]) -> Path:
    return _npz(path.with_suffix(".npz"), "path", names, np.zeros((len(names), D + 1)))


def _one_row_too_few(path: Path, names: list[str]) -> Path:
    return _npz(path.with_suffix(".npz"), "path", names, np.zeros((len(names) - 1, D)))


def _flat(path: Path, names: list[str]) -> Path:
    return _npz(path.with_suffix(".npz"), "path", names, np.zeros(len(names)))


def _not_finite(path: Path, names: list[str]) -> Path:
    return _csv(path, "path", names, np.full((len(names), D), np.nan))


def _twice(path: Path, names: list[str]) -> Path:
    return _csv(path, "path", names[:1] * 2, np.zeros((2, D)))


def _other_key(path: Path, names: list[str]) -> Path:
    return _csv(path, "picture", names, np.zeros((len(names), D)))


def _ragged(path: Path, names: list[str]) -> Path:
    file = _csv(path, "path", names, np.zeros((len(names), D)))
    file.write_text(file.read_text() + "late.png,1,2\n")
    return file


def _words(path: Path, names: list[str]) -> Path:
    path.write_text("path,a,b,c,d\nx.png,1,2,three,4\n")
    return path


def _pickled(path: Path, names: list[str]) -> Path:
    np.savez(path.with_suffix(".npz"), path=np.array([{}], dtype=object), features=np.zeros((1, D)))
    return path.with_suffix(".npz")


def _without_features(path: Path, names: list[str]) -> Path:
    np.savez(path.with_suffix(".npz"), path=np.array(names))
    return path.with_suffix(".npz")


def _no_archive(path: Path, names: list[str]) -> Path:
    path.with_suffix(".npz").write_bytes(b"no archive")
    return path.with_suffix(".npz")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_other_width, "holds 3 x 5 numbers for 3 pictures; expected are 4 for each"),
        (_one_row_too_few, "holds 2 x 4 numbers for 3 pictures"),
        (_flat, "holds 3 numbers for 3 pictures"),
        (_not_finite, r"value for .*\.png that is not a finite number"),
        (_twice, "two rows for"),
        (_other_key, "begins with the column 'picture'; the first has to be `path` or `sha256`"),
        (_ragged, "line 5, has 2 values where its header names 4"),
        (_words, "line 2: could not convert"),
        (_pickled, "cannot be read as features"),
        (_without_features, "holds path; expected are `features` and `path` or `sha256`"),
        (_no_archive, "cannot be read as features"),
        (lambda path, names: path, "cannot be read as features.*No such file"),
        (lambda path, names: (path.write_text("") and path) or path, "begins with the column ''"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    write: Callable[[Path, list[str]], Path], message: str, samples: list[Sample], tmp_path: Path
) -> None:
    file = write(tmp_path / "features.csv", [str(sample.path) for sample in samples[:3]])
    with pytest.raises(DataError, match=message) as caught:
        read_precomputed(file, D)
    assert str(file) in str(caught.value)
