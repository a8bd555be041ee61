"""Several processes on one run, as torchrun starts them: one for each GPU, or several on CPUs.

Each puts its share of every batch through the net. What is to be done once, such as reading, probing, validating,
writing and talking, the main process does, while the others wait.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from emotion.errors import ConfigError, RuntimeUnavailableError

T = TypeVar("T")

VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells each process."""
PATIENCE = timedelta(days=7)
"""How long the others wait for the main process: an evaluation or a probe may take hours. A process that dies does not
keep them so long, because torchrun then ends them all."""

PEER_GONE = ("Connection closed by peer", "Connection reset by peer", "remote process exited")
"""How gloo and nccl put it; the text is all that tells it from other RuntimeErrors."""


@dataclass(frozen=True)
class Processes:
    """The processes of a run, seen from one of them; by default it is alone."""

    rank: int = 0
    world_size: int = 1
    patient: dist.ProcessGroup | None = None
    """For waiting. The collectives of a training step have the default group, whose timeout is short, so that a GPU
    that hangs is noticed."""

    @property
    def is_main(self) -> bool:
        """Whether this is the one that does what is to be done once."""
        return self.rank == 0

    def from_main(self, compute: Callable[[], T]) -> T:
        """What `compute` gives on the main process, handed to all; it is not called on the others, which wait."""
        if self.world_size == 1:
            return compute()
        box: list[Any] = [compute() if self.is_main else None]
        dist.broadcast_object_list(box, src=0, group=self.patient)
        result: T = box[0]
        return result

    def wrap(self, net: nn.Module) -> nn.Module:
        """The same net, with gradients averaged over the processes."""
        return net if self.world_size == 1 else DistributedDataParallel(net)

    def gather(self, rows: Tensor) -> Tensor:
        """Rows of the whole batch, in a single process's order, from the shares `batch[rank::world_size]`.

        Shares are of one size. The gradient that arrives at a share is the sum of what the processes found for it.
        """
        if self.world_size == 1:
            return rows
        gathered: Tensor = _Gather.apply(rows, self.rank, self.world_size)
        return gathered

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Of what is not in the wrapped net, such as a loss's proxies.

        Every process finds the gradient of the whole batch for them; the mean takes away what different devices round
        differently, so that their copies stay the same.
        """
        if self.world_size == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.world_size


ALONE = Processes()


class _Gather(torch.autograd.Function):
    """The right scale comes from the sum in `backward`.

    Each of the n processes computes the same loss L of the whole batch, so the sum at a share's rows is n dL/drows.
    A process's own backward carries on from its rows alone; DistributedDataParallel then averages over the processes,
    1/n sum_r n dL/drows_r drows_r/dw = dL/dw: the gradient that one process would have had. Without the sum it would
    be n times too small.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, rank: int, world_size: int) -> Tensor:
        ctx.share = slice(rank, None, world_size)
        rows = rows.contiguous()
        parts = [torch.empty_like(rows) for _ in range(world_size)]
        dist.all_gather(parts, rows)
        return torch.stack(parts, dim=1).flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[ctx.share], None, None


@contextmanager
def join_processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started; ALONE where it started none or one.

    The others than the main process are silent but for errors. They leave together with it.

    Raises ConfigError when torchrun's variables are incomplete and RuntimeUnavailableError when the machine has fewer
    GPUs than processes, or when another process ends before its time.
    """
    if _world_size() == 1:
        yield ALONE
        return
    missing = [name for name in VARIABLES if name not in os.environ]
    if missing:
        raise ConfigError(f"WORLD_SIZE is set but {', '.join(missing)} is not; start the processes with torchrun")
    dist.init_process_group(_claim(device))
    patient = cast("dist.ProcessGroup", dist.new_group(backend="gloo", timeout=PATIENCE))
    processes = Processes(dist.get_rank(), dist.get_world_size(), patient)
    with nullcontext() if processes.is_main else _silence():
        try:
            yield processes
            processes.from_main(lambda: None)
        except RuntimeError as error:
            if not any(words in str(error) for words in PEER_GONE):
                raise
            raise RuntimeUnavailableError("another process of this run has ended; its own message says why") from error
    # Not after an error: closing waits for the others, who wait for this one. Its exit makes torchrun end them.
    dist.destroy_process_group()


def refuse_several(command: str) -> None:
    """Raise ConfigError where torchrun started several processes."""
    if _world_size() > 1:
        raise ConfigError(f"{command} runs in one process; start it without torchrun")


def _world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _claim(device: torch.device) -> str:
    """Take this process's GPU; returns the backend."""
    if device.type == "cpu":
        return "gloo"
    local_rank, n_gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local_rank >= n_gpus:
        raise RuntimeUnavailableError(
            f"process {local_rank} of this machine finds {n_gpus} GPUs; start torchrun with --nproc-per-node {n_gpus}"
        )
    torch.cuda.set_device(local_rank)
    return "nccl"


@contextmanager
def _silence() -> Iterator[None]:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
