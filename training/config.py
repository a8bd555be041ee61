"""The training configuration: a closed tree, so that a typo is an error and not a silent default."""

import difflib
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from emotion.errors import ConfigError
from emotion.network.spec import LITE0, NetworkSpec
from emotion.preprocess import PreprocessSpec
from emotion.runtime import Device
from training.losses.mining import Mining

PRESETS = Path(__file__).parent / "configs"


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Init(StrEnum):
    """Where the class head and the sentiment vector's filters start."""

    RANDOM = "random"
    PROBE = "probe"
    """A logistic regression on the untouched backbone's features: fine-tuning then starts from a fair classifier."""


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
    """Mean of accuracy and mAP of the embedding."""
    ACCURACY = "accuracy"
    MEAN_AP = "mAP"


class DataConfig(_Closed):
    """Which pictures, and how they come in batches."""

    taxonomy: Path | None = None
    """A label set as JSON; Mikels' eight emotions by default."""
    validation_fraction: float = Field(default=0.1, ge=0, le=0.5)
    """Part of the training pictures that early stopping watches; 0 trains on all of them, to the last epoch."""
    batch_size: int = Field(default=64, gt=1)
    """Of all processes together."""
    min_per_class: int = Field(default=8, gt=1)
    cache_mb: int = Field(default=2048, ge=0)
    """Decoded pictures kept in memory, by each training process with its workers."""
    n_workers: int = Field(default=0, ge=0)
    """Processes that prepare pictures for each training process; the result is the same with any number."""


class AugmentConfig(_Closed):
    """Random views of a training picture; mild by default, because colour and texture carry the mood."""

    crop_scale: tuple[float, float] = (0.4, 1.0)
    crop_ratio: tuple[float, float] = (0.75, 1.3333)
    flip: bool = True
    jitter: float = Field(default=0.0, ge=0, le=1)
    """Strength of brightness, contrast and saturation changes."""
    degrade: float = Field(default=0.0, ge=0, le=1)
    """Share of views that are blurred, and share that are recompressed, as pictures on the web are."""


class NetworkConfig(NetworkSpec):
    """The network and where it starts."""

    pretrained: bool = True
    """Start from ImageNet weights."""
    weights: Path | None = None
    """ImageNet weights of a backbone other than lite0: a .safetensors or .pth file, see docs/networks.md."""
    freeze_trunk: bool = False
    freeze_batch_norm: bool = True
    """Keep ImageNet's batch-norm statistics: a few hundred pictures estimate worse ones."""
    head_init: Init = Init.PROBE
    sv_init: Init = Init.PROBE
    polarity_scale: float = Field(default=1.5, ge=0)
    """Weight of polarity in a sentiment vector that starts from the probe."""

    def spec(self) -> NetworkSpec:
        """The part that a bundle records."""
        return NetworkSpec.model_validate(self.model_dump(include=set(NetworkSpec.model_fields)))


class LossConfig(_Closed):
    """E = (1 - w) E_cls + w E_sml."""

    w: float = Field(default=0.5, ge=0, le=1)
    alpha1: float = Field(default=0.2, ge=0)
    alpha2: float = Field(default=0.1, ge=0)
    mining: Mining = Mining.SEMI_HARD
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)


class OptimConfig(_Closed):
    """Two learning rates: pretrained layers, and the layers that start from nothing."""

    optimizer: Optimizer = Optimizer.ADAMW
    lr_backbone: float = Field(default=1e-4, ge=0)
    lr: float = Field(default=3e-4, gt=0)
    """Sentiment vector; raise it tenfold when it starts from random filters."""
    lr_head: float = Field(default=5e-5, gt=0)
    """Class head: low, because the probe it starts from is already regularised."""
    weight_decay: float = Field(default=0.05, ge=0)
    schedule: Schedule = Schedule.COSINE
    warmup_fraction: float = Field(default=0.1, ge=0, lt=1)
    step_epochs: int = Field(default=40, gt=0)
    clip_norm: float = Field(default=5.0, gt=0)


class LoopConfig(_Closed):
    """How long, how precise, and when to stop."""

    epochs: int = Field(default=12, gt=0)
    patience: int = Field(default=0, ge=0)
    """Stop when the monitored figure has not risen for so many epochs; 0 runs to the end."""
    monitor: Monitor = Monitor.SCORE
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Exponential moving average of the weights; 0 is off."""
    device: Device = Device.AUTO
    autocast: bool = True
    """bf16 autocast in the backbone."""


class TrainingConfig(_Closed):
    """One training run."""

    name: str = "model"
    seed: int = Field(default=0, ge=0)
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
    def _complete_preprocess(cls, tree: Any) -> Any:
        network, given = tree.get("network", {}), tree.get("preprocess", {})
        name = network.get("backbone", LITE0) if isinstance(network, dict) else getattr(network, "backbone", None)
        if not isinstance(given, dict) or not isinstance(name, str):
            return tree  # complete, or wrong in a way that the fields' own checks name
        return {**tree, "preprocess": _expected_input(name) | given}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.loop.patience and self.data.validation_fraction == 0:
            raise ValueError("loop.patience needs data.validation_fraction above 0")
        return self


def _expected_input(backbone: str) -> dict[str, Any]:
    if backbone == LITE0:
        return PreprocessSpec().model_dump()
    from emotion.network.imagenet import default_preprocess  # imports torch, which the default does not need

    return default_preprocess(backbone).model_dump()


def preset_names() -> list[str]:
    """Presets that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_config(source: str, overrides: list[str] | None = None) -> TrainingConfig:
    """Read a preset by name or a TOML file, then apply `section.key=value` overrides.

    Raises ConfigError naming the key and the nearest right one.
    """
    path = PRESETS / f"{source}.toml" if source in preset_names() else Path(source)
    if not path.is_file():
        raise ConfigError(f"no preset or file {source!r}; presets: {', '.join(preset_names())}")
    try:
        tree = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    for override in overrides or []:
        _apply(tree, override)
    try:
        return TrainingConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item) for item in error.errors())) from error


def _apply(tree: dict[str, Any], override: str) -> None:
    key, sign, value = override.partition("=")
    if not sign or not key:
        raise ConfigError(f"--set takes section.key=value, not {override!r}")
    *sections, last = key.strip().split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {override}: {section!r} is a value, not a section")
    try:
        tree[last] = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        tree[last] = value.strip()


def _explain(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        return f"{key or 'config'}: {item['msg']}" + (f" (got {item['input']!r})" if key else "")
    near = difflib.get_close_matches(key, _keys(TrainingConfig), n=1, cutoff=0.4)
    return f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _keys(field.annotation, f"{prefix}{name}.")
    return keys
