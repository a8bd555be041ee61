"""The rows of Table 1: each what the paper's row is, and not unmade by what a user sets."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emotion.errors import ConfigError
from emotion.network.spec import LITE0, EmbeddingKind, HeadInput
from emotion.taxonomy import MIKELS
from fakes import write_gallery
from training.__main__ import app
from training.config import Init, Optimizer
from training.data.samples import read_samples
from training.data.splits import fold_parts, make_folds
from training.experiments.budget import Budget
from training.experiments.recipes import recipe
from training.experiments.rows import Row
from training.experiments.table1 import BASE, SPECS, make_rows, study
from training.experiments.trained import TrainedMethod, config_of, with_seeds
from training.loss_settings import EmbeddingLoss
from training.losses.mining import Mining
from training.run import fit

TINY = ("network.backbone=test_efficientnet", "network.pretrained=false", "preprocess.size_px=32", "loop.epochs=1")


def _rows(budget: Budget = Budget.QUICK, *sets: str, n_seeds: int | None = None) -> dict[str, Row]:
    return {row.key: row for row in make_rows(budget, backbone=LITE0, sets=sets, n_seeds=n_seeds)}


@pytest.mark.parametrize("budget", list(Budget))
def test_the_papers_rows_are_what_the_paper_says(budget: Budget) -> None:
    configs = {key: config_of(row) for key, row in _rows(budget).items()}
    table = {
        "softmax": (EmbeddingKind.FC, EmbeddingLoss.NONE, None),
        "center": (EmbeddingKind.FC, EmbeddingLoss.CENTER, None),
        "triplet": (EmbeddingKind.FC, EmbeddingLoss.TRIPLET, Mining.RANDOM),
        "triplet_random": (EmbeddingKind.FC, EmbeddingLoss.TRIPLET, Mining.RANDOM),
        "triplet_hard": (EmbeddingKind.FC, EmbeddingLoss.TRIPLET, Mining.HARD),
        "triplet_semi_hard": (EmbeddingKind.FC, EmbeddingLoss.TRIPLET, Mining.SEMI_HARD),
        "sentiment_fc": (EmbeddingKind.FC, EmbeddingLoss.SENTIMENT, Mining.SEMI_HARD),
        "sentiment_sv": (EmbeddingKind.SENTIMENT_VECTOR, EmbeddingLoss.SENTIMENT, Mining.SEMI_HARD),
    }
    assert [*table, "ours", "probe"] == list(configs)
    for key, (kind, loss, mining) in table.items():
        config = configs[key]
        assert (config.network.embedding, config.loss.embedding) == (kind, loss)
        assert config.network.head_init is config.network.sv_init is Init.RANDOM
        assert config.loss.w == (1 if key == "triplet" else 0.7)
        assert mining is None or config.loss.mining is mining
        head = HeadInput.EMBEDDING if kind is EmbeddingKind.FC else HeadInput.FEATURES
        assert config.network.head_input is head
        assert config.network.fc.dim == 512
        assert config.loop.finetuned_share == 1
    assert len({config.data.validation_fraction for config in configs.values()}) == 1
    assert configs["ours"].network.sv_init is Init.PROBE
    assert configs["probe"].loop.epochs == 0


def test_full_is_the_papers_training_and_quick_is_ours_with_its_ratio() -> None:
    full, quick = (config_of(_rows(budget)[BASE]) for budget in (Budget.FULL, Budget.QUICK))
    assert full.optim.optimizer is Optimizer.SGD
    assert (full.loop.epochs, full.data.batch_size, full.preprocess.size_px) == (100, 128, 224)
    assert (quick.loop.epochs, quick.data.batch_size, quick.preprocess.size_px) == (12, 64, 160)
    for config in (full, quick):
        assert config.optim.lr == config.optim.lr_head == pytest.approx(10 * config.optim.lr_backbone)
    assert len(_rows(Budget.FULL)[BASE].repeats) == 2
    seeds = [method.config.seed for method in with_seeds(quick, 3)]
    assert seeds == [0, 1, 2]


def test_the_source_has_the_rows_in_the_order_of_its_map() -> None:
    """The printed table rises in mAP8 and in mAP2 from row to row; accuracy falls once, at the center loss."""
    for place in (1, 2):
        values = [spec.source[place] for spec in SPECS]
        assert values == sorted(values)
    assert min(SPECS, key=lambda spec: spec.source[0]).key == "center"
    assert study([*_rows().values()]).base == BASE


def test_a_setting_counts_in_all_rows_but_unmakes_none() -> None:
    rows = _rows(Budget.QUICK, "loop.epochs=3", "loss.w=0.3", "network.head_input=both", n_seeds=2)
    configs = {key: config_of(row) for key, row in rows.items()}
    assert {config.loop.epochs for key, config in configs.items() if key != "probe"} == {3}
    assert configs["probe"].loop.epochs == 0
    assert (configs["center"].loss.w, configs["triplet"].loss.w) == (0.3, 1)
    assert configs["center"].network.head_input is HeadInput.EMBEDDING
    with pytest.raises(ConfigError, match=r"loss\.alpha2 does nothing with loss\.embedding=none"):
        _rows(Budget.QUICK, "loss.alpha2=0.3")


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ((), ["160 pixels, 12 epochs", "adamw", "w = 0.7", "w = 0.5"]),
        (("loss.w=0.3", "loop.epochs=3"), ["3 epochs", "w = 0.3", "Set by hand", "`loss.w=0.3`, `loop.epochs=3`"]),
    ],
    ids=str,
)
def test_the_page_says_what_was_run(sets: tuple[str, ...], words: list[str]) -> None:
    notes = "\n".join(study([*_rows(Budget.QUICK, *sets).values()], sets).notes)
    assert LITE0 in notes
    assert [word for word in words if word not in notes] == []


def test_a_bundle_that_may_know_the_test_pictures_is_no_start(tmp_path: Path) -> None:
    write_gallery(tmp_path / "gallery", 32, ("awe", "contentment", "fear", "sadness"))
    samples = read_samples(tmp_path / "gallery", MIKELS).samples
    sets = (*TINY, "data.batch_size=16", "data.min_per_class=4", "network.sv_init=random")
    bundle, _, _ = fit(recipe("default", Budget.QUICK, sets=sets), samples, tmp_path / "run", data_name="gallery")
    with pytest.raises(ConfigError, match=r"network\.start: .*may know their test pictures; `experiment transfer`"):
        make_rows(Budget.QUICK, backbone="test_efficientnet", sets=[f"network.start={bundle.path}", TINY[2]])


@pytest.mark.slow
def test_a_trained_row_goes_through_the_predictor(tmp_path: Path) -> None:
    write_gallery(tmp_path / "gallery", 32, ("awe", "contentment", "fear", "sadness"))
    samples = read_samples(tmp_path / "gallery", MIKELS).samples
    train, test = fold_parts(samples, make_folds(samples, 2, 0), 0)
    config = recipe("default", Budget.QUICK, sets=(*TINY, "data.batch_size=16", "data.min_per_class=4"))
    scores = TrainedMethod(config).score_fold(train, test, tmp_path / "cell")
    for scored, part in ((scores.test, test), (scores.train, train)):
        assert {sample.digest for sample in scored.samples} == {sample.digest for sample in part}
        assert scored.embeddings.shape == (len(part), 680)
    assert json.loads(json.dumps(TrainedMethod(config).settings))["config"]["loop"]["epochs"] == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_command_writes_all_rows_and_runs_none_twice(tmp_path: Path) -> None:
    write_gallery(tmp_path / "gallery", 40, ("awe", "contentment", "fear", "sadness"))
    sets = [word for item in (*TINY, "data.batch_size=16", "data.min_per_class=4") for word in ("--set", item)]
    sets += ["--backbone", "test_efficientnet"]
    arguments = ["experiment", "table1", "--data", str(tmp_path / "gallery"), "--out", str(tmp_path / "out"), *sets]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    table = json.loads((tmp_path / "out" / "table1.json").read_text())
    assert [row["status"] for row in table["rows"]] == ["done"] * 10
    assert (tmp_path / "out" / "table1.md").read_text() in result.stdout
    again = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "10 of 10 row folds are done already" in again.stderr
    assert json.loads((tmp_path / "out" / "table1.json").read_text()) == table


@pytest.mark.parametrize("command", ["table1", "hyper"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "5"], r"--folds takes numbers from 0 to 4, not '5'"),
        (["--set", "loop.epoch=3"], r"unknown key 'loop\.epoch'; did you mean 'loop\.epochs'"),
    ],
)
def test_what_cannot_be_run_is_said_before_the_pictures_are_read(
    tmp_path: Path, command: str, arguments: list[str], message: str
) -> None:
    words = ["experiment", command, "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out"), *arguments]
    with pytest.raises(ConfigError, match=message):
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert not (tmp_path / "out").exists()
