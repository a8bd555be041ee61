"""The epochs: train, look at the validation pictures, keep the best, checkpoint."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from emotion.console import progress, say
from emotion.errors import ConfigError
from emotion.network.net import EmotionNet, Outputs
from emotion.network.spec import HeadInput
from emotion.network.taps import Taps
from emotion.taxonomy import Taxonomy
from training.checkpoint import save_checkpoint
from training.config import Monitor, TrainingConfig
from training.data.dataset import PictureDataset
from training.data.loader import single_pass_loader, training_loader
from training.data.mixing import Mixed, mix
from training.data.sampler import BalancedBatches
from training.data.taps_cache import cache_taps, to_device
from training.distributed import ALONE, Processes
from training.evaluation.retrieval import rank, retrieval_metrics
from training.interpolation import between, copy_state
from training.losses.multi_task import LossParts, MixedLogits, MultiTaskLoss
from training.optim import frozen_stages, lr_factor, make_optimizer, set_lr, unread_parameters

Inputs = torch.Tensor | Taps
Loader = DataLoader[tuple[torch.Tensor, int]] | DataLoader[tuple[Taps, int]]


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch gave; the validation figures are None without validation pictures.

    The accuracy is None too where the class head learns nothing until the training is over.
    """

    epoch: int
    loss: float
    classification: float
    embedding: float
    seconds: float
    val_accuracy: float | None = None
    val_map: float | None = None

    def monitored(self, monitor: Monitor) -> float | None:
        """The figure that early stopping follows; the only one where one picture an emotion leaves no mAP, or a head
        that is fitted later no accuracy.
        """
        if self.val_accuracy is None or self.val_map is None:
            return self.val_map if self.val_accuracy is None else self.val_accuracy
        match monitor:
            case Monitor.ACCURACY:
                return self.val_accuracy
            case Monitor.MEAN_AP:
                return self.val_map
            case Monitor.SCORE:
                return (self.val_accuracy + self.val_map) / 2


class Trainer:
    """One fit. The state that decides the next epoch is all in `_state`, so a resumed run equals an unbroken one."""

    def __init__(
        self,
        net: EmotionNet,
        loss: MultiTaskLoss,
        config: TrainingConfig,
        taxonomy: Taxonomy,
        device: torch.device,
        data_digest: str,
        processes: Processes = ALONE,
    ) -> None:
        self.processes = processes
        self.data_digest = data_digest
        self.net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = loss.to(device)
        self.config = config
        self.taxonomy = taxonomy
        self.device = device
        net.backbone.requires_grad_(not config.network.freeze_trunk)
        if config.network.head_input is HeadInput.EMBEDDING and not config.network.freeze_trunk:
            # DistributedDataParallel waits for every gradient; what only the pooled features need has none.
            for parameter in unread_parameters(net, config.preprocess.size_px):
                parameter.requires_grad_(False)
        self.optimizer = make_optimizer(net, config.optim, self.loss.parameters())
        decay = config.loop.ema_decay
        self.average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(decay)) if decay else None  # type: ignore[no-untyped-call]
        self.share = config.loop.finetuned_share or 1.0
        self.start = copy_state(net) if self.share < 1 else None
        self.parallel = processes.wrap(_FromTaps(self.net) if config.loop.cache_views else self.net)
        self.frozen = frozen_stages(net, 0, config.optim)
        self.history: list[EpochRecord] = []
        self.best: tuple[float, dict[str, torch.Tensor]] | None = None

    def fit(
        self,
        train: PictureDataset,
        batches: BalancedBatches,
        validation: PictureDataset,
        run: Path,
        *,
        state: dict[str, Any] | None = None,
    ) -> None:
        """Train to the end or to early stopping; afterwards `net` holds the best weights.

        Args:
            train: what to train on.
            batches: how; this process's share.
            validation: what early stopping watches; may be empty.
            run: where checkpoints go.
            state: a checkpoint to go on from.
        """
        if state is not None:
            self._restore(state)
        loader = self._loader(train, batches)
        for epoch in range(len(self.history), self.config.loop.epochs):
            if self._exhausted():
                say(f"early stop: {self.config.loop.monitor} has not risen for {self.config.loop.patience} epochs")
                break
            batches.epoch = epoch
            record = self._epoch(epoch, loader, validation)
            self.history.append(record)
            self._keep_best(record)
            if self.processes.is_main:
                save_checkpoint(run, self._state())
            say(self._line(record))
        self.net.load_state_dict(self._final_weights())

    def _epoch(self, epoch: int, loader: Loader, validation: PictureDataset) -> EpochRecord:
        start = time.monotonic()
        self._seed(epoch)
        generator = torch.Generator().manual_seed(self._epoch_seed(epoch))
        self._train_mode()
        self.frozen = frozen_stages(self.net, epoch, self.config.optim)
        n_steps = self.config.loop.epochs * len(loader)
        parts = []
        with progress(f"epoch {epoch + 1}/{self.config.loop.epochs}", len(loader), "batches") as advance:
            for number, (inputs, labels) in enumerate(loader):
                step = epoch * len(loader) + number
                set_lr(self.optimizer, lr_factor(step, n_steps, len(loader), self.config.optim))
                parts.append(self.step(inputs, labels, generator, step))
                _check_finite(parts[-1], f"epoch {epoch + 1}, step {number + 1}")
                advance(1)
        self._check_outputs(f"epoch {epoch + 1}")
        total, classification, embedding = np.mean(parts, axis=0)
        val = self.processes.from_main(lambda: self._validate(validation) if len(validation) else (None, None))
        seconds = time.monotonic() - start
        return EpochRecord(epoch, float(total), float(classification), float(embedding), seconds, *val)

    def _epoch_seed(self, epoch: int) -> int:
        """A function of the epoch, not of what ran before: a resumed epoch mines and drops the same."""
        return self.config.seed * 100_003 + epoch

    def _seed(self, epoch: int) -> None:
        """Dropout is drawn by each process for its own share; from one seed all would drop at the same places."""
        torch.manual_seed(self._epoch_seed(epoch) + 1_000_000_007 * self.processes.rank)
        # One draw, as a DataLoader without a generator of its own takes from this one at its start: what was trained
        # with such a loader can be made again to the bit.
        torch.empty((), dtype=torch.int64).random_()

    def step(self, inputs: Inputs, labels: torch.Tensor, generator: torch.Generator, step: int = 0) -> list[float]:
        """One update from this process's share of a batch; returns the total loss, classification, embedding.

        Args:
            inputs: pixels, or under loop.cache_views what the trunk gave.
            labels: on any device.
            generator: for mining.
            step: counted from the start of the training; what is mixed depends on it.
        """
        labels = labels.to(self.device, non_blocking=True)
        if isinstance(inputs, Taps):
            inputs, mixed = to_device(inputs, self.device), None
        else:
            inputs = inputs.to(self.device, memory_format=torch.channels_last, non_blocking=True)
            mixed = self._mix(inputs, labels, step)
            inputs = inputs if mixed is None else torch.cat([inputs, mixed.pixels])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.loop.autocast):
            outputs = self.parallel(inputs)
        # The loss is of the whole batch on every process: tuples are mined across the shares, with the same generator.
        # Gathered as float32: the sum of the gradients is not to be rounded to bf16.
        gather = self.processes.gather
        n = len(labels)
        whole = Outputs(*(gather(part[:n].float()) for part in outputs.present()))
        of_mixed = None if mixed is None else MixedLogits(gather(outputs.logits[n:].float()), gather(mixed.targets))
        parts = self.loss(whole, gather(labels), generator, of_mixed)
        self.optimizer.zero_grad(set_to_none=True)
        parts.total.backward()
        self.processes.average_gradients(self.loss.parameters())
        for parameter in self.frozen:
            # Without a gradient the optimiser passes over it, decay and all. Not requires_grad: DistributedDataParallel
            # cannot have that change.
            parameter.grad = None
        # Not the loss's own: a large gradient of a proxy is no reason to slow the net down.
        nn.utils.clip_grad_norm_(self.net.parameters(), self.config.optim.clip_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.net)
        return [float(part.detach()) for part in parts]

    @torch.no_grad()
    def _check_outputs(self, where: str) -> None:
        """Raise ConfigError where the last step ruined the weights: of the last epoch no further loss would tell."""
        size_px = self.config.preprocess.size_px
        outputs = self.net.eval()(torch.zeros(1, 3, size_px, size_px, device=self.device))
        if not all(part.isfinite().all() for part in outputs.present()):
            raise _diverged(f"{where}: the net's outputs are no longer finite")

    def _loader(self, train: PictureDataset, batches: BalancedBatches) -> Loader:
        n_workers, loop = self.config.data.n_workers, self.config.loop
        if not loop.cache_views or len(self.history) >= loop.epochs or self._exhausted():
            return training_loader(train, batches, n_workers, self.device)
        cached = cache_taps(
            self.net,
            train,
            min(loop.cache_views, loop.epochs),  # there are no epochs to see more
            device=self.device,
            autocast=loop.autocast,
            limit_gb=loop.cache_views_gb,
            n_workers=n_workers,
        )
        return training_loader(cached, batches, 0, self.device)

    def _mix(self, pixels: torch.Tensor, labels: torch.Tensor, step: int) -> Mixed | None:
        """Mixtures within this process's share; they go through the net beside the pictures, in one pass.

        The embedding's loss needs pictures of one emotion each. To mix in some batches only, and to leave that loss out
        there, would halve its training: what mixing does to the class head could not be told from that.
        """
        augment = self.config.augment
        if not (augment.mixup or augment.cutmix):
            return None
        rng = np.random.default_rng((self.config.seed, step, self.processes.rank))
        n_classes = self.net.head.out_features
        return mix(pixels, labels, n_classes, rng, mixup=augment.mixup, cutmix=augment.cutmix)

    def _train_mode(self) -> None:
        self.net.train()
        if self.config.network.freeze_trunk:
            self.net.backbone.eval()
        elif self.config.network.freeze_batch_norm:
            freeze_batch_norm(self.net)

    @torch.no_grad()
    def _validate(self, data: PictureDataset) -> tuple[float | None, float | None]:
        """Accuracy and leave-one-out mAP of the validation pictures, in their natural order and balance.

        No accuracy under `fits_head_last`: until then the head reads what is no longer what it started with.
        """
        net = self._judged()
        net.eval()
        embeddings, correct, labels = [], [], []
        batch_size, n_workers = self.config.data.batch_size, self.config.data.n_workers
        for pixels, batch_labels in single_pass_loader(data, batch_size, n_workers, self.device):
            outputs = net(pixels.to(self.device, memory_format=torch.channels_last))
            embeddings.append(outputs.embedding.float().cpu().numpy())
            correct.append((outputs.logits.argmax(dim=1).cpu() == batch_labels).numpy())
            labels.append(batch_labels.numpy())
        rows, truth = np.concatenate(embeddings), np.concatenate(labels)
        relevant = truth[rank(rows, rows, np.arange(len(rows)))] == truth[:, None]
        mean_ap = retrieval_metrics(relevant).mean_ap
        accuracy = None if self.config.fits_head_last else float(np.concatenate(correct).mean())
        return accuracy, None if math.isnan(mean_ap) else mean_ap

    def _judged(self) -> EmotionNet:
        """The net as it would be given out: of the averaged weights, and between start and end, where so configured."""
        net: EmotionNet = self.net if self.average is None else self.average.module  # type: ignore[assignment]
        return net if self.start is None else between(self.start, net, self.share)

    def _keep_best(self, record: EpochRecord) -> None:
        value = record.monitored(self.config.loop.monitor)
        if value is not None and (self.best is None or value > self.best[0]):
            self.best = (value, copy_state(self._judged()))

    def _exhausted(self) -> bool:
        patience = self.config.loop.patience
        if not patience or not self.history:
            return False
        monitored = [record.monitored(self.config.loop.monitor) for record in self.history]
        if all(value is None for value in monitored):
            return False
        values = [value or -math.inf for value in monitored]
        return len(values) - 1 - int(np.argmax(values)) >= patience

    def _final_weights(self) -> dict[str, torch.Tensor]:
        """The best epoch's under early stopping, the last epoch's otherwise."""
        if self.config.loop.patience and self.best is not None:
            return self.best[1]
        return self._judged().state_dict()

    def _state(self) -> dict[str, Any]:
        return {
            "config": self.config.model_dump(mode="json"),
            "data": self.data_digest,
            "net": self.net.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "start": self.start,
            "history": [asdict(record) for record in self.history],
            "best": self.best,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.start = state["start"]
        self.history = [EpochRecord(**record) for record in state["history"]]
        self.best = state["best"]
        say(f"resuming after epoch {len(self.history)}")

    def _line(self, record: EpochRecord) -> str:
        left = (self.config.loop.epochs - record.epoch - 1) * record.seconds
        text = (
            f"epoch {record.epoch + 1}/{self.config.loop.epochs}  loss {record.loss:.3f} "
            f"(class {record.classification:.3f}, embedding {record.embedding:.3f})"
        )
        if record.val_accuracy is not None:
            text += f"  val accuracy {record.val_accuracy:.3f}"
        if record.val_map is not None:
            text += f"{'  val' if record.val_accuracy is None else ','} mAP {record.val_map:.3f}"
        return f"{text}  {record.seconds:.0f} s, {left:.0f} s left"


def _check_finite(parts: Sequence[float], where: str) -> None:
    """Raise ConfigError where a loss is not a finite number: no later step can mend what it does to the weights."""
    for name, value in zip(LossParts._fields, parts, strict=True):
        if not math.isfinite(value):
            raise _diverged(f"{where}: the loss ({name}) is {value}")


def _diverged(what: str) -> ConfigError:
    return ConfigError(
        f"the training diverged in {what}; lower optim.lr, optim.lr_head and optim.lr_backbone (optim.lr_loss where "
        "the loss has proxies or centres), or optim.clip_norm, and start anew"
    )


class _FromTaps(nn.Module):
    """The net without its trunk, in a form that takes part in a run of several processes."""

    def __init__(self, net: EmotionNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, taps: Taps) -> Outputs:
        return self.net.read(taps)


def freeze_batch_norm(module: nn.Module) -> None:
    """Keep every batch norm's statistics; its scale and shift still learn."""
    for child in module.modules():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            child.eval()
