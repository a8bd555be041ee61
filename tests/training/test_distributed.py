"""Two processes on gloo against one. This file is also what torchrun starts: see the end."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone uses

from conftest import ROOT
from emotion.errors import ConfigError
from emotion.network.net import Outputs
from emotion.taxonomy import MIKELS
from fakes import write_gallery
from training import loop
from training.config import TrainingConfig
from training.config_file import load_config
from training.data.samples import read_samples
from training.distributed import ALONE, Processes, join_processes, refuse_several
from training.losses.sentiment import SentimentLoss
from training.run import train

CPU = torch.device("cpu")
N_PROCESSES = 2
EMOTIONS = ("awe", "contentment", "fear", "sadness")
TINY = [
    "network.backbone=test_efficientnet",
    "network.pretrained=false",
    "network.dropout=0",
    "preprocess.size_px=32",
    "data.batch_size=32",
    "data.validation_fraction=0.25",
    "loop.epochs=2",
    "loop.patience=0",
    "loop.autocast=false",
    # AdamW divides by the gradient's own size: it would hide a wrong scale and blow rounding up where it is near 0.
    "optim.optimizer=sgd",
    "optim.schedule=constant",
    "optim.warmup_fraction=0",
    "optim.lr_backbone=1e-2",
    "optim.lr=1e-2",
    "optim.lr_head=1e-2",
    "optim.clip_norm=1e9",
]
# Whether a tuple is semi-hard turns on a distance's rounding, and the loss leaps with it; the hardest one's does not.
HARD = "loss.mining=hard"
VARIANTS = {
    "plain": [HARD],
    "clipped": [HARD, "optim.clip_norm=0.05"],
    "frozen trunk, averaged": [HARD, "network.freeze_trunk=true", "loop.ema_decay=0.5"],
    "proxies": ["loss.embedding=proxy_anchor", "loss.polarity_weight=0.25", "optim.lr_loss=0.1"],
    "no loss on the embedding": ["loss.embedding=none"],
    "stages": [HARD, "optim.unfreeze_epochs=1", "optim.layer_decay=0.7"],
    "cached trunk": [HARD, "network.freeze_trunk=true", "loop.cache_views=2", "network.head_input=both"],
    "vector of the last stage": [
        HARD,
        "network.head_input=embedding",
        "network.sentiment_vector.deepest=stage",
        "network.sv_init=random",
    ],
    "random start, bf16": [HARD, "network.head_init=random", "network.sv_init=random", "loop.autocast=true"],
}
DROPPING = [
    "network.dropout=0.5",
    "network.freeze_batch_norm=false",
    "loop.ema_decay=0.5",
    "data.n_workers=1",
    "loss.embedding=center",
    "augment.mixup=0.5",
]
"""Whatever a resumed run might lose."""
STOPPING = ["loop.patience=1", "loop.epochs=12", "optim.lr_head=1e-30", "optim.lr=1e-30", "optim.lr_backbone=0"]

State = dict[str, Tensor]


def _config(overrides: list[str]) -> TrainingConfig:
    return load_config("default", [*TINY, *overrides])


class _Toy(nn.Module):
    """Float64, so that rounding does not hide a small error: EmotionNet's Gram matrices are float32."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Linear(6, 5, dtype=torch.float64)
        self.classify = nn.Linear(6, 8, dtype=torch.float64)

    def forward(self, rows: Tensor) -> Outputs:
        return Outputs(F.normalize(self.embed(rows), dim=1), self.classify(rows))


def _loss_and_gradients(processes: Processes) -> State:
    """Of one batch of 32 rows, of which this process sees its share."""
    rows = torch.randn(32, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(32) % 8
    share = slice(processes.rank, None, processes.world_size)
    net = _Toy()
    parallel = processes.wrap(net)
    outputs = Outputs(*map(processes.gather, parallel(rows[share]).present()))
    every = processes.gather(labels[share])
    sentiment = SentimentLoss(MIKELS)(outputs.embedding, every, torch.Generator().manual_seed(2))
    loss = sentiment + F.cross_entropy(outputs.logits, every)
    loss.backward()
    gradients = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    return {"labels": every, "sentiment": sentiment.detach(), "loss": loss.detach()} | gradients


def _gathered_squares(processes: Processes) -> State:
    """Sum of i * row_i^2 over the gathered rows 0..5, and its gradient at this process's rows."""
    rows = torch.arange(6.0).reshape(6, 1)[processes.rank :: processes.world_size].requires_grad_()
    whole = processes.gather(rows)
    (torch.arange(6.0) * whole[:, 0] ** 2).sum().backward()
    assert rows.grad is not None
    return {"whole": whole.detach(), "gradient": rows.grad}


def _trained(photos: Path, run: Path, overrides: list[str], processes: Processes, *, resume: bool = False) -> Any:
    """Weights and what else a run leaves; keeps the first epoch's checkpoint in `run`-broken."""
    save = loop.save_checkpoint

    def save_and_keep_first(folder: Path, state: dict[str, Any]) -> None:
        save(folder, state)
        broken = run.with_name(f"{run.name}-broken")
        if not broken.exists() and not resume:
            broken.mkdir()
            shutil.copy(folder / "checkpoint.pt", broken)

    loop.save_checkpoint = save_and_keep_first
    try:
        samples = read_samples(photos, MIKELS).samples
        trainer, _, _ = train(_config(overrides), samples, run, resume=resume, processes=processes)
    finally:
        loop.save_checkpoint = save
    return {
        "weights": {**trainer.net.state_dict(), **trainer.loss.state_dict(prefix="loss.")},
        "losses": [record.loss for record in trainer.history],
        "maps": [record.val_map for record in trainer.history],
    }


def _on_each_process(photos: Path, out: Path) -> None:
    """Everything that the tests compare, in one start of two processes; each writes into a folder of its own."""
    torch.set_num_threads(1)
    with join_processes(CPU) as processes:
        mine = out / str(processes.rank)
        calls: list[int] = []
        found: dict[str, Any] = {
            "toy": _loss_and_gradients(processes),
            "squares": _gathered_squares(processes),
            "from_main": processes.from_main(lambda: calls.append(1) or processes.rank),
            "calls": len(calls),
            **{name: _trained(photos, mine / name, sets, processes) for name, sets in VARIANTS.items()},
            "stopping": _trained(photos, mine / "stopping", STOPPING, processes),
            "dropping": _trained(photos, mine / "dropping", DROPPING, processes),
            "resumed": _trained(photos, mine / "dropping-broken", DROPPING, processes, resume=True),
        }
    torch.save(found, out / f"{processes.rank}.pt")


def _torchrun(*arguments: str | Path, timeout_s: float = 100) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    write_gallery(folder, 96, EMOTIONS)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """What two processes wrote."""
    folder = tmp_path_factory.mktemp("two")
    done = _torchrun(__file__, photos, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def found(out: Path) -> list[dict[str, Any]]:
    """What each of the two processes found."""
    return [torch.load(out / f"{rank}.pt", weights_only=True) for rank in range(N_PROCESSES)]


def _distance(one: State, other: State) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def test_loss_and_gradients_of_two_processes_are_those_of_one(found: list[dict[str, Any]]) -> None:
    alone = _loss_and_gradients(ALONE)
    assert alone["sentiment"] > 0
    for each in found:
        assert _distance(each["toy"], alone) < 1e-12


def test_gathered_rows_stand_in_order_and_get_the_summed_gradient(found: list[dict[str, Any]]) -> None:
    for rank, each in enumerate(found):
        rows = torch.arange(6.0)
        assert torch.equal(each["squares"]["whole"][:, 0], rows)
        by_hand = N_PROCESSES * 2 * rows**2  # d/dx i x^2 = 2 i x with x = i, once from each process
        assert torch.equal(each["squares"]["gradient"][:, 0], by_hand[rank::N_PROCESSES])


@pytest.mark.parametrize("name", VARIANTS)
def test_two_processes_train_the_weights_of_one(
    tmp_path: Path, photos: Path, found: list[dict[str, Any]], name: str
) -> None:
    one, two = _trained(photos, tmp_path / "one", VARIANTS[name], ALONE), found[0][name]
    tolerance = 1e-3 if "bf16" in name else 1e-5
    assert _distance(one["weights"], two["weights"]) < tolerance
    assert two["losses"] == pytest.approx(one["losses"], rel=tolerance)
    state = torch.load(tmp_path / "one-broken" / "checkpoint.pt", weights_only=True)
    first_epoch = state["net"] | {f"loss.{name}": tensor for name, tensor in state["loss"].items()}
    assert _distance(one["weights"], first_epoch) > 5 * tolerance, "the case must move the weights"


def test_all_processes_end_with_the_same_weights_and_history(found: list[dict[str, Any]]) -> None:
    for name in [*VARIANTS, "stopping"]:
        one, other = (each[name] for each in found)
        assert one["losses"] == other["losses"]
        assert one["maps"] == other["maps"]
        assert None not in one["maps"]
        assert _distance(one["weights"], other["weights"]) == 0


def test_early_stopping_stops_all(found: list[dict[str, Any]]) -> None:
    assert {len(each["stopping"]["losses"]) for each in found} == {2}


def test_what_is_done_once_is_done_by_the_main_process(out: Path, found: list[dict[str, Any]]) -> None:
    assert [each["calls"] for each in found] == [1, 0]
    assert [each["from_main"] for each in found] == [0, 0]
    assert (out / "0" / "plain" / "checkpoint.pt").is_file()
    assert not (out / "1").exists()


def test_a_resumed_run_of_two_equals_an_unbroken_one(found: list[dict[str, Any]]) -> None:
    whole, resumed = found[0]["dropping"], found[0]["resumed"]
    assert whole["losses"] == resumed["losses"]
    assert _distance(whole["weights"], resumed["weights"]) == 0


def test_one_process_goes_on_with_the_run_of_two(tmp_path: Path, photos: Path, out: Path, found: Any) -> None:
    broken = shutil.copytree(out / "0" / "plain-broken", tmp_path / "broken")
    resumed = _trained(photos, broken, VARIANTS["plain"], ALONE, resume=True)
    assert len(resumed["losses"]) == 2
    assert resumed["losses"][0] == found[0]["plain"]["losses"][0]
    assert _distance(resumed["weights"], found[0]["plain"]["weights"]) < 1e-5


@pytest.mark.slow
def test_torchrun_fit_writes_one_bundle_and_one_line(tmp_path: Path, photos: Path) -> None:
    sets = [word for override in [*TINY, "loop.epochs=1"] for word in ("--set", override)]
    run = tmp_path / "run"
    done = _torchrun("-m", "training", "fit", "--data", photos, "--out", run, "--json", *sets)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert json.loads((run / "metrics.json").read_text())["validation"] == figures
    assert len(list(tmp_path.rglob("bundle.json"))) == 1
    assert sorted(path.name for path in run.iterdir()) == [
        "bundle",
        "checkpoint.pt",
        "config.json",
        "metrics.json",
        "report.html",
        "skipped.json",
        "split.json",
    ]
    for once in ("evaluating: 24/24", "epoch 1/1  loss", "next: "):
        assert done.stderr.count(once) == 1, done.stderr


FAILING = """
import torch
from emotion import command_line
from emotion.errors import DataError
from training.distributed import join_processes

def app(args):
    with join_processes(torch.device("cpu")) as processes:
        if not processes.is_main:
            raise DataError("a picture is broken")
        processes.gather(torch.ones(2))

command_line.run(app)
"""


def test_an_error_in_one_process_ends_all_and_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    done = _torchrun(tmp_path / "failing.py", timeout_s=60)
    assert done.returncode == 1
    assert done.stderr.count("error: a picture is broken") == 1, done.stderr
    assert "Connection closed by peer" not in done.stderr


@pytest.mark.parametrize("command", ["crossval", "evaluate"])
def test_other_commands_refuse_several_processes(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_several(command)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=f"{command} runs in one process; start it without torchrun"):
        refuse_several(command)


def test_incomplete_variables_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ConfigError, match="LOCAL_RANK, MASTER_ADDR, MASTER_PORT is not"), join_processes(CPU):
        pass


if __name__ == "__main__":
    _on_each_process(Path(sys.argv[1]), Path(sys.argv[2]))
