"""The multi-label study: its rows, that done ones are kept, and what its table says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion.errors import ConfigError
from emotion.network.backbone import build_backbone
from emotion.network.imagenet import default_preprocess
from emotion.network.spec import FcEmbeddingSpec, NetworkSpec
from emotion.runtime import Device
from emotion.taxonomy import Taxonomy
from fakes import encoded
from training.assess import open_judge
from training.data.multi_label import MultiLabelSample
from training.experiments import multi_label
from training.experiments.multi_label import FULL_SEEDS, run, wanted_seeds
from training.experiments.multi_label_rows import MultiLabelRow, rows
from training.multi_label.bundle import fit_multi_label
from training.multi_label.features import FrozenBackbone
from training.multi_label.learn import Recipe
from training.multi_label.method import Method

NAME = "test_efficientnet"
THREE = Taxonomy.model_validate({"name": "three", "emotions": ["a", "b", "c"]})
SMALL = FcEmbeddingSpec(dim=8, hidden=8)
TABLE = [
    MultiLabelRow("bce", "plain", Recipe(method=Method.BCE, epochs=1, layers=SMALL)),
    MultiLabelRow("triplet", "studied", Recipe(epochs=1, layers=SMALL, undersample=True), {"mAP": 0.271}),
]


@pytest.fixture(scope="module")
def backbone() -> FrozenBackbone:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build_backbone(NetworkSpec(backbone=NAME)).eval()
    return FrozenBackbone(NAME, net, default_preprocess(NAME).model_copy(update={"size_px": 32}), "random")


@pytest.fixture
def samples(tmp_path: Path) -> list[MultiLabelSample]:
    found = []
    rng = np.random.default_rng(0)
    for seed in range(40):
        path = tmp_path / f"{seed}.png"
        path.write_bytes(encoded(seed))
        labels = {0, *np.flatnonzero(rng.random(3) < 0.2).tolist()}
        found.append(MultiLabelSample(path, tuple(sorted(labels)), f"{seed:064x}"))
    return found


def test_the_rows_are_the_studys_four_twice_and_plain_cross_entropy() -> None:
    table = rows()
    assert len({row.key for row in table}) == len(table) == 10
    studied = [row for row in table if row.source and not row.recipe.undersample]
    settings = [(row.recipe.epochs, row.recipe.margin, row.source["mAP"], row.source["macro_f1"]) for row in studied]
    assert settings == [(10, 1, 0.271, 0.179), (10, 2, 0.273, 0.176), (20, 1, 0.252, 0.175), (20, 2, 0.257, 0.177)]
    assert {row.recipe.method for row in studied} == {Method.TRIPLET}
    assert sum(row.recipe.undersample for row in table) == 5
    assert {(row.recipe.lr, row.recipe.late_lr, row.recipe.late_epoch, row.recipe.layers.dim) for row in table} == {
        (0.01, 0.001, 15, 256)
    }


def test_what_is_done_is_kept_and_goes_on(
    tmp_path: Path, samples: list[MultiLabelSample], backbone: FrozenBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, learnt = tmp_path / "out", []
    original = multi_label.learn

    def watched(recipe: Recipe, *data: np.ndarray):
        learnt.append((recipe.method, recipe.seed))
        if len(learnt) == 2:
            raise KeyboardInterrupt
        return original(recipe, *data)

    monkeypatch.setattr(multi_label, "learn", watched)
    with pytest.raises(KeyboardInterrupt):
        run(samples, THREE, backbone, out, [0], table=TABLE)
    assert "not done yet" in (out / "multilabel.md").read_text()
    kept = (out / "rows/bce/seed0/result.json").read_bytes()
    run(samples, THREE, backbone, out, [0], table=TABLE)
    run(samples, THREE, backbone, out, [0, 1], table=TABLE)
    methods = [Method.BCE, Method.TRIPLET, Method.TRIPLET, Method.BCE, Method.TRIPLET]
    assert learnt == list(zip(methods, (0, 0, 0, 1, 1), strict=True))
    assert (out / "rows/bce/seed0/result.json").read_bytes() == kept
    content = json.loads((out / "multilabel.json").read_text())
    assert [row["key"] for row in content["rows"]] == ["chance", "untrained", "bce", "triplet"]
    assert content["thinned"] == ["a"]
    assert content["n_test"] == 4
    for row in content["rows"][2:]:
        alone = [
            json.loads((out / "rows" / row["key"] / f"seed{s}/result.json").read_text())["figures"] for s in (0, 1)
        ]
        for name, figure in row["figures"].items():
            values = [one[name] for one in alone]
            assert figure["value"] == pytest.approx(np.mean(values))
            assert figure["sd"] == pytest.approx(np.std(values, ddof=1))
            assert figure["low"] <= figure["value"] <= figure["high"]
    _, _, plain, studied = content["rows"]
    assert "against_cross_entropy" not in plain
    apart = studied["figures"]["mAP"]["value"] - plain["figures"]["mAP"]["value"]
    assert studied["against_cross_entropy"]["mAP"]["value"] == pytest.approx(apart)
    text = (out / "multilabel.md").read_text()
    assert f"{apart:+.3f} [" in text
    assert "| 0.271 |" in text
    assert "GCN 2019: mAP 0.332" in text


def test_every_label_named_is_what_chance_gives(
    tmp_path: Path, samples: list[MultiLabelSample], backbone: FrozenBackbone
) -> None:
    """mAP is then the mean share of pictures with a label; its F1 is 2 share / (1 + share)."""
    run(samples, THREE, backbone, tmp_path, [0], table=[])
    (chance, _) = json.loads((tmp_path / "multilabel.json").read_text())["rows"]
    test = set(json.loads((tmp_path / "split.json").read_text())["test"])
    asked = [sample.labels for sample in samples if sample.digest in test]
    shares = np.array([np.mean([label in labels for labels in asked]) for label in range(3)])
    shares = shares[shares > 0]
    assert chance["figures"]["mAP"]["value"] == pytest.approx(shares.mean())
    assert chance["figures"]["macro_f1"]["value"] == pytest.approx((2 * shares / (1 + shares)).mean())


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.key)
def test_the_test_parts_labels_decide_nothing_but_the_figures(
    tmp_path: Path, samples: list[MultiLabelSample], backbone: FrozenBackbone, row: MultiLabelRow
) -> None:
    """Thresholds come from the validation part: other labels there change them, other ones in the test part do not."""
    run(samples, THREE, backbone, tmp_path, [])
    split = json.loads((tmp_path / "split.json").read_text())

    def answers(part: str, name: str) -> dict[str, np.ndarray]:
        changed = [
            replace(sample, labels=(1, 2)) if sample.digest in split.get(part, ()) else sample for sample in samples
        ]
        run(changed, THREE, backbone, tmp_path / name, [0], table=[row])
        with np.load(tmp_path / name / "rows" / row.key / "seed0/answers.npz") as kept:
            return dict(kept)

    plain, tested, validated = answers("", "plain"), answers("test", "tested"), answers("validation", "validated")
    assert np.array_equal(plain["probs"], tested["probs"])
    assert np.array_equal(plain["thresholds"], tested["thresholds"])
    assert np.array_equal(plain["probs"], validated["probs"])
    assert not np.array_equal(plain["thresholds"], validated["thresholds"])


def test_only_the_training_part_is_thinned_out(
    tmp_path: Path, samples: list[MultiLabelSample], backbone: FrozenBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []
    learn, choose = multi_label.learn, multi_label.best_thresholds
    monkeypatch.setattr(multi_label, "learn", lambda recipe, x, y: (seen.append(y), learn(recipe, x, y))[1])
    monkeypatch.setattr(multi_label, "best_thresholds", lambda p, y: (seen.append(y), choose(p, y))[1])
    run(samples, THREE, backbone, tmp_path, [0], table=TABLE[1:])
    split = json.loads((tmp_path / "split.json").read_text())
    counts = {part: sum(0 in s.labels for s in samples if s.digest in split[part]) for part in split if part != "seed"}
    learnt, chosen = seen
    assert (len(learnt), len(chosen)) == (len(split["train"]), len(split["validation"]))
    assert learnt[:, 0].sum() < counts["train"]
    assert chosen[:, 0].sum() == counts["validation"] == len(split["validation"])


def test_a_bundle_of_the_same_recipe_has_the_rows_figures(
    tmp_path: Path, samples: list[MultiLabelSample], backbone: FrozenBackbone
) -> None:
    """But for what rounding to fp16 moves: the probabilities are within a thousandth or two, the ranks nearly so."""
    (row,) = TABLE[:1]
    run(samples, THREE, backbone, tmp_path / "study", [0], table=[row])
    bundle, _ = fit_multi_label(
        samples, THREE, row.recipe, backbone, tmp_path / "run", data_name="painted", device=Device.CPU
    )
    assert json.loads((tmp_path / "run/split.json").read_text()) == json.loads(
        (tmp_path / "study/split.json").read_text()
    )
    with np.load(tmp_path / "study/rows/bce/seed0/answers.npz") as kept:
        assert list((bundle.manifest.thresholds or {}).values()) == pytest.approx(kept["thresholds"].tolist(), abs=1e-6)
        test = json.loads((tmp_path / "run/split.json").read_text())["test"]
        asked = [sample.path for sample in samples if sample.digest in test]
        said = open_judge(bundle, Device.CPU).predict(asked)
        assert np.abs(said.probabilities - kept["probs"]).max() < 5e-3


def test_other_settings_or_pictures_are_refused(
    tmp_path: Path, samples: list[MultiLabelSample], backbone: FrozenBackbone
) -> None:
    out = tmp_path / "out"
    run(samples, THREE, backbone, out, [0], table=TABLE[:1])
    before = (out / "rows/bce/seed0/result.json").read_bytes()
    other = [MultiLabelRow("bce", "plain", Recipe(method=Method.BCE, epochs=2, layers=SMALL))]
    with pytest.raises(ConfigError, match="take another --out"):
        run(samples, THREE, backbone, out, [0], table=other)
    relabelled = [MultiLabelSample(samples[0].path, (1,), samples[0].digest), *samples[1:]]
    with pytest.raises(ConfigError, match="take another --out"):
        run(relabelled, THREE, backbone, out, [0], table=TABLE[:1])
    assert (out / "rows/bce/seed0/result.json").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "full", "seeds"),
    [(None, False, (0,)), (None, True, FULL_SEEDS), ("3", True, (3,)), ("0, 2", False, (0, 2))],
)
def test_seeds(text: str | None, full: bool, seeds: tuple[int, ...]) -> None:
    assert wanted_seeds(text, full=full) == seeds


@pytest.mark.parametrize("text", ["", "a", "1,", "-1", "1,1", "1,01"])
def test_what_is_no_seed(text: str) -> None:
    with pytest.raises(ConfigError, match="--seeds"):
        wanted_seeds(text, full=False)
