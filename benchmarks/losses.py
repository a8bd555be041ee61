"""How long each loss on the embedding takes for a batch, forward and backward.

Beside them pytorch-metric-learning's TripletMarginLoss with its semi-hard miner: the bar for our own losses. All take
turns, so that a busy machine slows them alike; the median counts.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final

import torch
import typer
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import TripletMarginMiner
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everyone uses

from emotion.console import say
from emotion.taxonomy import MIKELS
from training.loss_settings import EmbeddingLoss, LossConfig
from training.losses.build import build_loss
from training.losses.mining import Mining
from training.losses.multi_label import MultiLabelTripletLoss

DIM: Final = 680
SPREAD: Final = 1.5
"""Of the pictures around their emotion, against the distance of two emotions: a model halfway through its training."""
BAR: Final = "TripletMarginLoss, semi-hard"
MULTI_LABEL: Final = "multi-label triplet"
OURS: Final = ("sentiment", "adaptive", "triplet", "hierarchical_ap", "center", MULTI_LABEL)

Step = Callable[[Tensor], Tensor]
"""From embeddings to the loss."""

app = typer.Typer(add_completion=False)


@app.command()
def main(
    batch_size: Annotated[int, typer.Option(min=16, help="Pictures, equally many of each emotion.")] = 128,
    threads: Annotated[int, typer.Option(min=1, help="Threads that torch may use.")] = 2,
    rounds: Annotated[int, typer.Option(min=3, help="How often each is timed.")] = 50,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the figures here too.")] = None,
) -> None:
    """Time every loss on the embedding on this CPU.

    Example: python benchmarks/losses.py --json losses.json
    """
    torch.set_num_threads(threads)
    embedding, labels = clustered(batch_size)
    milliseconds = interleaved(embedding, steps(labels), rounds)
    rows = [row(name, times, median(milliseconds[BAR])) for name, times in milliseconds.items()]
    figures = {
        "batch_size": batch_size,
        "dim": DIM,
        "threads": threads,
        "rounds": rounds,
        "torch": torch.__version__,
        "load_after": round(os.getloadavg()[0], 2),
        "losses": rows,
    }
    show(figures)
    if json_ is not None:
        json_.write_text(json.dumps(figures, indent=1) + "\n")


def clustered(batch_size: int) -> tuple[Tensor, Tensor]:
    """L2-normalised embeddings around one direction for each emotion, and the emotions."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(batch_size) % len(MIKELS.emotions)
    centres = torch.randn(len(MIKELS.emotions), DIM, generator=generator)
    return F.normalize(centres[labels] + SPREAD * torch.randn(batch_size, DIM, generator=generator), dim=1), labels


def steps(labels: Tensor) -> dict[str, Step]:
    """Every loss by name; those that mine, with each mining."""
    found: dict[str, Step] = {BAR: _bar(labels)}
    for name in EmbeddingLoss:
        match name:
            case EmbeddingLoss.NONE:
                continue
            case EmbeddingLoss.SENTIMENT | EmbeddingLoss.ADAPTIVE | EmbeddingLoss.TRIPLET:
                for mining in Mining:
                    found[f"{name}, {mining}"] = _step(LossConfig(embedding=name, mining=mining), labels)
            case _:
                found[name.value] = _step(LossConfig(embedding=name), labels)
    return found | {MULTI_LABEL: _multi_label_step(labels)}


def interleaved(embedding: Tensor, losses: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each loss in each round; one round before them warms up."""
    milliseconds: dict[str, list[float]] = {name: [] for name in losses}
    for number in range(rounds + 1):
        for name, step in losses.items():
            leaf = embedding.clone().requires_grad_()
            start = time.perf_counter()
            step(leaf).backward()  # type: ignore[no-untyped-call]
            if number:
                milliseconds[name].append(1000 * (time.perf_counter() - start))
    say(f"{rounds} rounds of {len(losses)} losses")
    return milliseconds


def row(name: str, milliseconds: list[float], bar: float) -> dict[str, Any]:
    """What the table says of one loss."""
    ours = name.partition(",")[0] in OURS
    times = sorted(milliseconds)
    return {
        "loss": name,
        "ours": ours,
        "median_ms": round(median(times), 2),
        "p90_ms": round(times[int(0.9 * (len(times) - 1))], 2),
        "ratio": round(median(times) / bar, 3),
    }


def show(figures: dict[str, Any]) -> None:
    """The figures as text."""
    table = Table("loss", "ours", "median, ms", "90th percentile, ms", "of the bar's time")
    for line in figures["losses"]:
        ours = "yes" if line["ours"] else ""
        table.add_row(line["loss"], ours, f"{line['median_ms']}", f"{line['p90_ms']}", f"{line['ratio']}")
    console = Console()
    console.print(table)
    slower = [line["loss"] for line in figures["losses"] if line["ours"] and line["ratio"] > 1]
    console.print(f"slower than the bar: {', '.join(slower) or 'none of ours'}")
    console.print("{batch_size} x {dim}, {threads} threads, load {load_after} at the end".format(**figures))


def _step(config: LossConfig, labels: Tensor) -> Step:
    loss = build_loss(config, MIKELS, DIM, seed=0)
    logits = torch.zeros(len(labels), len(MIKELS.emotions))
    generator = torch.Generator().manual_seed(0)
    return lambda embedding: loss.on_embedding(embedding, logits, labels, generator)


def _multi_label_step(labels: Tensor) -> Step:
    """Each picture has its emotion and two others, drawn at random."""
    loss, generator = MultiLabelTripletLoss(), torch.Generator().manual_seed(0)
    n_emotions = len(MIKELS.emotions)
    others = torch.rand(len(labels), n_emotions, generator=generator).topk(2).indices
    several = torch.zeros(len(labels), n_emotions).scatter(1, torch.cat([labels[:, None], others], dim=1), 1.0)
    return lambda embedding: loss(embedding, several, generator)


def _bar(labels: Tensor) -> Step:
    loss, miner = TripletMarginLoss(margin=0.2), TripletMarginMiner(margin=0.2, type_of_triplets="semihard")

    def step(embedding: Tensor) -> Tensor:
        value: Tensor = loss(embedding, labels, miner(embedding, labels))
        return value

    return step


if __name__ == "__main__":
    app()
