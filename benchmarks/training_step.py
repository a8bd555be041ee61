"""A training step with the sentiment loss, against the same network with cross entropy only; and what feeds it."""

import os
import tempfile
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.command import Options, start
from benchmarks.loader import throughput
from benchmarks.measure import Work, in_ms, interleaved, ratio
from benchmarks.results import Bar, Chart, Findings, Row, Sense
from demo.paint import paint_gallery
from emotion.network.net import EmotionNet
from training.config import TrainingConfig
from training.config_file import load_config
from training.data.samples import read_samples
from training.loop import Trainer
from training.losses.build import build_loss
from training.losses.multi_task import MultiTaskLoss
from training.run import load_taxonomy

NAME: Final = "training_step"
TITLE: Final = "Training step"
PLAIN: Final = "cross entropy only"
SENTIMENT: Final = "sentiment loss"

_STEP = Bar(sense=Sense.AT_MOST, limit=1.05, unit="x")
_LOADER = Bar(sense=Sense.AT_LEAST, limit=3, unit="x")


def measure(options: Options) -> Findings:
    """Steps of the default recipe on random pixels; the loader on painted pictures, decoded once before."""
    configs = {SENTIMENT: _config(options), PLAIN: _config(options, "loss.embedding=none")}
    config = configs[SENTIMENT]
    contenders = {name: step(of) for name, of in configs.items()}
    # Two steps a turn: single ones differ by a fifth, as fresh memory and the pace of the machine have it.
    seconds = interleaved(contenders, rounds=options.pick(30, 1), calls=options.pick(2, 1))
    found = ratio(seconds[SENTIMENT], seconds[PLAIN])
    detail = f"{in_ms(seconds[SENTIMENT]):.0f} ms a batch against {in_ms(seconds[PLAIN]):.0f}; {found.spread}"
    what = "training step with the sentiment loss: time against cross entropy only, the same network"
    rows = [Row(what=what, bar=_STEP, measured=found.median, unit="x", detail=detail)]
    rows.append(_loader_row(config, options, 1000 * config.data.batch_size / in_ms(seconds[SENTIMENT])))
    series = {name: [in_ms(times)] for name, times in seconds.items()}
    labels = [f"batch of {config.data.batch_size}"]
    chart = Chart(name="training_step", title="A training step", unit="ms", labels=labels, series=series)
    workload = f"{config.network.spec().backbone}, default recipe, on this CPU with {torch.get_num_threads()} threads"
    return Findings(workload=workload, rows=rows, charts=[chart])


def step(config: TrainingConfig) -> Work:
    """A whole update: forward, loss, backward, clipping, optimiser; weights and pixels at random, labels balanced."""
    torch.manual_seed(0)
    taxonomy = load_taxonomy(config)
    net = EmotionNet(config.network.spec(), len(taxonomy.emotions))
    loss = build_loss(config.loss, taxonomy, net.spec.dim, config.seed)
    if loss.embedding is None:
        loss = _ClassesAlone(None, w=0, label_smoothing=loss.label_smoothing)
    trainer = Trainer(net, loss, config, taxonomy, torch.device("cpu"), data_digest="")
    net.train()
    n, size = config.data.batch_size, config.preprocess.size_px
    pixels, labels = torch.randn(n, 3, size, size), torch.arange(n) % len(taxonomy.emotions)
    generator = torch.Generator().manual_seed(0)
    return lambda: trainer.step(pixels, labels, generator)


class _ClassesAlone(MultiTaskLoss):
    """Nothing flows back through the sentiment vector, where the trainer's own lets zeros flow."""

    def on_embedding(self, *_: torch.Tensor | torch.Generator) -> torch.Tensor:
        """No gradient at all."""
        return torch.zeros(())


def _config(options: Options, *overrides: str) -> TrainingConfig:
    small = ["data.batch_size=16", "data.min_per_class=2"] if options.quick else []
    return load_config("default", [*small, *overrides])


def _loader_row(config: TrainingConfig, options: Options, needed_per_s: float) -> Row:
    """The best number of workers, in later epochs: the first decodes every picture, the others read them decoded."""
    with tempfile.TemporaryDirectory(prefix="feelalike-loader-") as folder:
        data = options.data
        if data is None:
            paint_gallery(Path(folder), options.pick(320, 32))
            data = Path(folder)
        samples, _ = read_samples(data, load_taxonomy(config))
        figures: list[dict[str, Any]] = [throughput(config, samples, n, options.pick(4, 2)) for n in _workers(config)]
    best = max(figures, key=lambda one: float(one["later_per_s"]))
    delivered = float(best["later_per_s"])
    detail = f"{delivered:.0f} pictures/s with {best['n_workers']} workers, a step takes {needed_per_s:.0f}/s"
    detail += f"; in the first epoch, which decodes, {best['first_per_s']:.0f}/s"
    what = "loader: pictures delivered from the second epoch on, against what the step takes"
    return Row(what=what, bar=_LOADER, measured=delivered / needed_per_s, unit="x", detail=detail)


def _workers(config: TrainingConfig) -> list[int]:
    return sorted({config.data.n_workers, 0, os.cpu_count() or 1})


if __name__ == "__main__":
    start(NAME, TITLE, measure)
