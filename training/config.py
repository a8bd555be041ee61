"""The training configuration: a closed tree, so that a typo is an error and not a silent default."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from emotion.network.spec import LITE0, EmbeddingKind, ExtraBackbone, NetworkSpec
from emotion.preprocess import PreprocessSpec
from emotion.runtime import Device
from training.closed import Closed
from training.inherited import inherit
from training.loss_settings import EmbeddingLoss, LossConfig


class Init(StrEnum):
    """Where the class head and the embedding's weights start."""

    RANDOM = "random"
    PROBE = "probe"
    """A logistic regression on the untouched backbone's features: fine-tuning then starts from a fair classifier."""
    BUNDLE = "bundle"
    """As in the bundle at network.start; what is not set is this where there is such a bundle and it fits."""


class Schedule(StrEnum):
    """How the learning rate falls after the warm-up."""

    COSINE = "cosine"
    STEP = "step"
    CONSTANT = "constant"


class Optimizer(StrEnum):
    """What updates the weights."""

    ADAMW = "adamw"
    SGD = "sgd"
    """Nesterov, momentum 0.9."""


class Monitor(StrEnum):
    """Which validation figure early stopping follows."""

    SCORE = "score"
    """Mean of accuracy and mAP of the embedding; the mAP alone with loss.w = 1, where there is no accuracy yet."""
    ACCURACY = "accuracy"
    MEAN_AP = "mAP"


class DataConfig(Closed):
    """Which pictures, and how they come in batches."""

    taxonomy: str = "mikels"
    """A label set: the name of a shipped one (`python -m training taxonomies`) or a JSON file, see docs/data.md."""
    validation_fraction: float = Field(default=0.1, ge=0, le=0.5)
    """Part of the training pictures that early stopping watches; 0 trains on all of them, to the last epoch."""
    batch_size: int = Field(default=64, gt=1)
    """Of all processes together."""
    min_per_class: int = Field(default=8, gt=1)
    """Pictures of each emotion in a batch, at least."""
    cache_mb: int = Field(default=2048, ge=0)
    """Decoded pictures kept in memory, by each training process with its workers."""
    n_workers: int = Field(default=0, ge=0)
    """Processes that prepare pictures for each training process; the result is the same with any number."""


class AugmentConfig(Closed):
    """Random views of a training picture; mild by default, because colour and texture carry the mood."""

    crop_scale: tuple[float, float] = (0.4, 1.0)
    """Smallest and largest share of the picture's area that a crop takes."""
    crop_ratio: tuple[float, float] = (0.75, 1.3333)
    """Narrowest and widest crop: width by height."""
    flip: bool = True
    """Mirror every second view, at random."""
    jitter: float = Field(default=0.0, ge=0, le=1)
    """Strength of brightness, contrast and saturation changes."""
    mixup: float = Field(default=0.0, ge=0)
    """Alpha of Beta(alpha, alpha): the class head learns from mixed pictures in place of plain ones; 0 is off. The
    sentiment vector goes on learning from plain ones, so each step puts twice as many pictures through the net."""
    cutmix: float = Field(default=0.0, ge=0)
    """Likewise, with a box of another picture pasted in; with both, each step takes either."""
    degrade: float = Field(default=0.0, ge=0, le=1)
    """Share of views that are blurred, and share that are recompressed, as pictures on the web are."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ValueError(f"augment.crop_scale goes from a share above 0 up to 1; got {list(self.crop_scale)}")
        if not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise ValueError(f"augment.crop_ratio goes from a ratio above 0 up; got {list(self.crop_ratio)}")
        return self


class NetworkConfig(NetworkSpec):
    """The network and where it starts."""

    model_config = ConfigDict(allow_inf_nan=False)

    pretrained: bool = True
    """Start from ImageNet weights."""
    weights: Path | None = None
    """ImageNet weights from a file, .safetensors or .pth; lite0, lite1 and lite2 need none (docs/networks.md)."""
    start: Path | None = None
    """A bundle to go on from in place of ImageNet weights, on other pictures or other labels (docs/recipes.md)."""
    start_model_id: str | None = None
    """Its identity; filled in, and held against the bundle where a training begins or goes on."""
    freeze_trunk: bool = False
    """Leave the backbone as it is: only class head and embedding learn."""
    freeze_batch_norm: bool = True
    """Keep ImageNet's batch-norm statistics: a few hundred pictures estimate worse ones."""
    head_init: Init = Init.PROBE
    """Where the class head starts."""
    sv_init: Init = Init.PROBE
    """Where the embedding starts."""
    probe_views: int = Field(default=1, ge=1, le=10)
    """Views of a picture that the probe sees: 1 as served, 3 with the whole picture squashed, also larger, 5 with
    a mirror image and a close crop, 10 with a wide crop and the other mirror images."""
    polarity_scale: float = Field(default=1.0, ge=0)
    """Weight of polarity in a sentiment vector that starts from the probe."""
    familiarity_rank: int = Field(default=256, ge=0)
    """Directions of the distance to the training pictures, fitted after training; 0 leaves it out of the bundle."""

    def spec(self) -> NetworkSpec:
        """The part that a bundle records, before the distance to the training pictures is fitted."""
        fields = self.model_dump(include=set(NetworkSpec.model_fields))
        return NetworkSpec.model_validate(fields | {"familiarity_rank": 0})


class OptimConfig(Closed):
    """Two learning rates: pretrained layers, and the layers that start from nothing."""

    optimizer: Optimizer = Optimizer.ADAMW
    lr_backbone: float = Field(default=1e-4, ge=0)
    """Pretrained layers."""
    lr: float = Field(default=3e-4, gt=0)
    """Embedding; raise it tenfold when it starts from random filters."""
    lr_head: float = Field(default=5e-5, gt=0)
    """Class head: low, because the probe it starts from is already regularised."""
    lr_loss: float = Field(default=1e-2, gt=0)
    """Centres or proxies of the loss on the embedding: high, because they start from nothing."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """What a stage's rate is multiplied by for the next one nearer the input, timm's networks only; 1 is off."""
    unfreeze_epochs: int = Field(default=0, ge=0)
    """Begin with the trunk held still and let go of one more stage every so many epochs, the deepest first, timm's
    networks only; 0 trains all from the start. Batch-norm statistics follow network.freeze_batch_norm throughout."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Of matrices and filters, not of biases and norms."""
    schedule: Schedule = Schedule.COSINE
    warmup_fraction: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps over which the rates rise from 0."""
    step_epochs: int = Field(default=40, gt=0)
    """Epochs after which `schedule=step` takes a tenth of the rates, again and again."""
    clip_norm: float = Field(default=5.0, gt=0)
    """Longest gradient; a longer one is scaled down to it."""


class LoopConfig(Closed):
    """How long, how precise, and when to stop."""

    epochs: int = Field(default=12, ge=0)
    """0 trains nothing: the network stays as it was started, which is the baseline of the preset `probe`."""
    patience: int = Field(default=0, ge=0)
    """Stop when the monitored figure has not risen for so many epochs; 0 runs to the end."""
    monitor: Monitor = Monitor.SCORE
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Exponential moving average of the weights; 0 is off."""
    finetuned_share: float | None = Field(default=None, gt=0, le=1)
    """Weights given out = this share of the trained ones + the rest of those at the start (Wortsman et al., CVPR 2022):
    keeps what the start knew and fine-tuning forgets. None: half where a pretrained trunk is trained,
    all starts from a probe and batch norm is frozen; else 1, which is off."""
    device: Device = Device.AUTO
    """Where the training runs."""
    cache_views: int = Field(default=0, ge=0)
    """With a frozen trunk: run it once over so many random views of each picture and train on what it gave; 0 runs it
    at every step. Epochs beyond that number see the views again; as many views as epochs change nothing but
    rounding."""
    cache_views_gb: float = Field(default=6.0, gt=0)
    """Memory that the cache may take, in each training process."""
    autocast: bool = True
    """bf16 autocast in the backbone."""


class TrainingConfig(Closed):
    """One training run."""

    name: str = "model"
    """Name of the model, in the bundle and in /info."""
    seed: int = Field(default=0, ge=0)
    """Of everything random."""
    terms: str | None = None
    """Terms of use that come from the training data; written into the bundle and shown to users."""
    temperature: float = Field(default=1.0, gt=0)
    """Divides the logits before the softmax; `crossval` says which one fits."""
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    preprocess: PreprocessSpec = PreprocessSpec()
    """What is not set here is what the backbone's ImageNet weights expect."""
    network: NetworkConfig = NetworkConfig()
    loss: LossConfig = LossConfig()
    optim: OptimConfig = OptimConfig()
    loop: LoopConfig = LoopConfig()

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, tree: Any) -> Any:
        parts = {name: _as_given(tree[name]) for name in ("network", "preprocess") if name in tree}
        trees = "network" in parts and all(isinstance(part, dict) for part in parts.values())
        if trees and isinstance(parts["network"].get("start"), str | Path):
            tree = inherit({**tree, **parts})
        return cls._complete_preprocess(tree)

    @staticmethod
    def _complete_preprocess(tree: dict[str, Any]) -> dict[str, Any]:
        network, given = tree.get("network", {}), tree.get("preprocess", {})
        name = network.get("backbone", LITE0) if isinstance(network, dict) else getattr(network, "backbone", None)
        if not isinstance(given, dict) or not isinstance(name, str):
            return tree  # complete, or wrong in a way that the fields' own checks name
        return {**tree, "preprocess": _expected_input(name) | given}

    @property
    def fits_head_last(self) -> bool:
        """Whether no loss reaches the class head, so that it is fitted as a probe when the training is over."""
        return bool(self.loop.epochs) and self.loss.w == 1 and self.loss.embedding is not EmbeddingLoss.NONE

    @model_validator(mode="after")
    def _decide_finetuned_share(self) -> Self:
        if self.loop.finetuned_share is None:
            decided = self.loop.model_copy(update={"finetuned_share": 0.5 if _starts_well(self.network) else 1.0})
            object.__setattr__(self, "loop", decided)  # frozen for others: what is written down names the share
        return self

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.loop.patience and self.data.validation_fraction == 0:
            raise ValueError("loop.patience needs data.validation_fraction above 0")
        if self.fits_head_last and self.loop.monitor is Monitor.ACCURACY:
            raise ValueError(
                "loop.monitor=accuracy follows nothing with loss.w=1: the class head is fitted when the training is "
                "over; take loop.monitor=mAP"
            )
        if self.loop.cache_views and not self.network.freeze_trunk:
            raise ValueError("loop.cache_views needs network.freeze_trunk=true: a trunk that learns gives other maps")
        if self.loop.cache_views and (self.augment.mixup or self.augment.cutmix):
            raise ValueError("loop.cache_views keeps no pictures that augment.mixup and augment.cutmix could mix")
        for key, neutral in (("layer_decay", 1), ("unfreeze_epochs", 0)):
            if getattr(self.optim, key) != neutral:
                _check_stages(f"optim.{key}", self.network)
        if self.loop.epochs and self.optim.unfreeze_epochs >= self.loop.epochs:
            raise ValueError(
                f"optim.unfreeze_epochs={self.optim.unfreeze_epochs} with loop.epochs={self.loop.epochs}: no stage of "
                "the trunk would ever learn; take fewer, or network.freeze_trunk=true"
            )
        if self.optim.lr_loss != OptimConfig().lr_loss and not self.loss.embedding.learns:
            raise ValueError(f"optim.lr_loss does nothing with loss.embedding={self.loss.embedding}")
        self._check_network()
        return self

    def _check_network(self) -> None:
        network, share = self.network, self.loop.finetuned_share
        if share != 1 and not (network.freeze_batch_norm or network.freeze_trunk):
            raise ValueError(
                f"loop.finetuned_share={share} needs network.freeze_batch_norm=true: statistics of two nets do not "
                "average to those of the net between them"
            )
        if network.weights is not None and not network.pretrained:
            raise ValueError("network.weights does nothing with network.pretrained=false")
        _check_start(network)
        unread = "sentiment_vector" if network.embedding is EmbeddingKind.FC else "fc"
        # A bundle's section comes along with a start, whether it is read or not.
        if network.start is None and getattr(network, unread) != type(network).model_fields[unread].default:
            raise ValueError(f"network.{unread} does nothing with network.embedding={network.embedding}")
        if network.embedding is EmbeddingKind.FC and network.sv_init is Init.PROBE:
            raise ValueError("network.sv_init=probe fills a sentiment vector; with network.embedding=fc take random")
        if network.sv_init is Init.PROBE and network.sentiment_vector.level_weights[-1:] == (0,):
            raise ValueError(
                "network.sv_init=probe fills the deepest level alone, so the last of "
                "network.sentiment_vector.level_weights has to be above 0; or take network.sv_init=random"
            )
        probes = self.fits_head_last or Init.PROBE in (network.head_init, network.sv_init)
        if network.probe_views > 1 and not probes:
            raise ValueError("network.probe_views does nothing where neither head_init nor sv_init is probe")


def _starts_well(network: NetworkConfig) -> bool:
    """Whether fine-tuning can forget something: halfway to random weights, or from frozen ones, is no gain."""
    known = Init.RANDOM not in (network.head_init, network.sv_init) and network.pretrained
    return known and network.freeze_batch_norm and not network.freeze_trunk


def _check_start(network: NetworkConfig) -> None:
    if network.start is not None and (network.weights is not None or not network.pretrained):
        raise ValueError("network.weights and network.pretrained=false do nothing with network.start")
    if network.start is None and (Init.BUNDLE in (network.head_init, network.sv_init) or network.start_model_id):
        raise ValueError("network.head_init=bundle, sv_init=bundle and start_model_id need a network.start")


def _as_given(part: Any) -> Any:
    """The settings that were set, where they come as an object."""
    return part.model_dump(mode="json", exclude_unset=True) if isinstance(part, BaseModel) else part


def _check_stages(key: str, network: NetworkConfig) -> None:
    if network.freeze_trunk:
        raise ValueError(f"{key} does nothing with network.freeze_trunk=true")
    if network.backbone in list(ExtraBackbone):
        raise ValueError(f"{key} needs stages, which only timm's networks name; {network.backbone} is none of them")


def _expected_input(backbone: str) -> dict[str, Any]:
    if backbone == LITE0:
        return PreprocessSpec().model_dump()
    from emotion.network.imagenet import default_preprocess  # imports torch, which the default does not need

    return default_preprocess(backbone).model_dump()
