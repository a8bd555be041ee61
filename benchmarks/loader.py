"""What the training loader delivers: pictures a second for some numbers of workers, and where a picture's time goes.

Files come from the page cache: all are read once before. An epoch is of balanced batches, so rare emotions repeat.
"""

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch.utils.data import default_collate

from emotion.console import say
from emotion.images import decode, read_picture_bytes
from emotion.network.net import EmotionNet
from training.config import TrainingConfig
from training.config_file import load_config
from training.data.dataset import PictureDataset
from training.data.loader import training_loader
from training.data.sampler import BalancedBatches
from training.data.samples import Sample, read_samples
from training.loop import Trainer
from training.losses.build import build_loss
from training.run import load_taxonomy, pick_device

N_STEPS = 3
N_STAGED = 1000
"""About so many pictures are timed stage by stage."""

app = typer.Typer(add_completion=False)


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="A CSV manifest, or a folder with manifest.csv or class folders.")],
    config: Annotated[str, typer.Option(help="A preset's name or a TOML file.")] = "default",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override: section.key=value; repeatable.")] = None,
    workers: Annotated[str, typer.Option(help="Numbers of workers to try.")] = "0,1,2,4",
    epochs: Annotated[int, typer.Option(min=2, help="The first decodes, the later ones find decoded pictures.")] = 3,
    step: Annotated[bool, typer.Option("--step", help="Also how many pictures a second training here takes.")] = False,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the figures here too.")] = None,
) -> None:
    """Measure the loader of `python -m training fit` on labelled pictures.

    Example: python benchmarks/loader.py --data fi-mini --workers 0,2 --step --json loader.json
    """
    training = load_config(config, set_)
    samples, _ = read_samples(data, load_taxonomy(training))
    numbers = [int(number) for number in workers.split(",")]
    figures = {
        "pictures": len(samples),
        "cpus": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "stages_ms": stages(training, samples),
        "loader": [throughput(training, samples, number, epochs) for number in numbers],
        "step": training_step(training, samples) if step else None,
    }
    show(figures)
    if json_ is not None:
        json_.write_text(json.dumps(figures, indent=1) + "\n")


def stages(config: TrainingConfig, samples: list[Sample]) -> dict[str, float]:
    """Milliseconds a picture in this process: decoding, random view of a decoded one, joining into batches."""
    samples = samples[:: max(1, len(samples) // N_STAGED)]
    dataset = _dataset(config, samples)
    seconds = dict.fromkeys(("decode", "augment", "collate"), 0.0)
    for first in range(0, len(samples), config.data.batch_size):
        rows = range(first, min(first + config.data.batch_size, len(samples)))
        start = time.perf_counter()
        for row in rows:
            decode(read_picture_bytes(samples[row].path), min_side=config.preprocess.min_side_px)
        seconds["decode"] += time.perf_counter() - start
        for row in rows:
            dataset[0, row]  # fills the cache
        start = time.perf_counter()
        views = [dataset[1, row] for row in rows]
        viewed = time.perf_counter()
        default_collate(views)
        seconds["augment"] += viewed - start
        seconds["collate"] += time.perf_counter() - viewed
    return {name: round(1000 * value / len(samples), 3) for name, value in seconds.items()}


def throughput(config: TrainingConfig, samples: list[Sample], n_workers: int, epochs: int) -> dict[str, Any]:
    """Pictures a second, in the first epoch (decoding, workers starting) and in the later ones."""
    batches = _batches(config, samples)
    loader = training_loader(_dataset(config, samples), batches, n_workers, torch.device("cpu"))
    seconds = []
    for epoch in range(epochs):
        batches.epoch = epoch
        start = time.perf_counter()
        for _ in loader:
            pass
        seconds.append(time.perf_counter() - start)
        say(f"{n_workers} workers, epoch {epoch + 1}/{epochs}: {seconds[-1]:.1f} s")
    n_pictures = len(batches) * batches.batch_size
    return {
        "n_workers": n_workers,
        "first_per_s": round(n_pictures / seconds[0], 1),
        "later_per_s": round((epochs - 1) * n_pictures / sum(seconds[1:]), 1),
    }


def training_step(config: TrainingConfig, samples: list[Sample]) -> dict[str, Any]:
    """Pictures a second that training steps on this machine's device take, from weights at random."""
    device, taxonomy = pick_device(config.loop.device), load_taxonomy(config)
    net = EmotionNet(config.network.spec(), len(taxonomy.emotions))
    loss = build_loss(config.loss, taxonomy, net.spec.dim, config.seed)
    trainer = Trainer(net, loss, config, taxonomy, device, data_digest="")
    pixels, labels = next(iter(training_loader(_dataset(config, samples), _batches(config, samples), 0, device)))
    generator = torch.Generator().manual_seed(0)
    trainer.step(pixels, labels, generator)  # the first one allocates
    start = time.perf_counter()
    for _ in range(N_STEPS):
        trainer.step(pixels, labels, generator)
    seconds = (time.perf_counter() - start) / N_STEPS
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "this CPU"
    return {"device": name, "batch_size": len(labels), "pictures_per_s": round(len(labels) / seconds, 1)}


def show(figures: dict[str, Any]) -> None:
    """The figures as text."""
    table = Table("workers", "first epoch, pictures/s", "later epochs, pictures/s")
    for row in figures["loader"]:
        table.add_row(*(str(value) for value in row.values()))
    console = Console()
    console.print(table)
    parts = ", ".join(f"{name} {value} ms" for name, value in figures["stages_ms"].items())
    console.print(f"a picture in one process: {parts}")
    if figures["step"] is not None:
        console.print("training on {device} takes {pictures_per_s} pictures/s".format(**figures["step"]))
    console.print("{pictures} pictures, {cpus} CPUs, load {load_before} before the start".format(**figures))


def _dataset(config: TrainingConfig, samples: list[Sample]) -> PictureDataset:
    return PictureDataset(samples, config.preprocess, config.augment, seed=config.seed, cache_mb=config.data.cache_mb)


def _batches(config: TrainingConfig, samples: list[Sample]) -> BalancedBatches:
    labels = [sample.label for sample in samples]
    return BalancedBatches(labels, config.data.batch_size, config.data.min_per_class, config.seed)


if __name__ == "__main__":
    app()
