"""The story of a fit: config -> data -> net -> fit -> bundle -> evaluation through Predictor."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emotion.bundle import DEFAULT_TERMS, Bundle, Provenance, with_manifest
from emotion.console import say
from emotion.errors import ConfigError, DataError, RuntimeUnavailableError, TaxonomyError
from emotion.network.imagenet import load_imagenet_weights
from emotion.network.net import EmotionNet
from emotion.network.spec import HeadInput
from emotion.runtime import Device
from emotion.taxonomy import Taxonomy, read_taxonomy
from training.assess import assess, open_judge
from training.checkpoint import load_checkpoint
from training.checks import emotions_failure, filters_failure, known_warning, polarity_warning, unfreezing_warning
from training.config import Init, TrainingConfig
from training.data.dataset import PictureDataset
from training.data.sampler import BalancedBatches
from training.data.samples import Sample
from training.data.splits import hold_out
from training.data.views import FixedViews, fixed_views
from training.distributed import ALONE, Processes
from training.export import export_bundle, library_versions
from training.familiarity import add_familiarity
from training.loop import EpochRecord, Trainer
from training.losses.build import build_loss
from training.probe import Probe, fit_probe, init_head, init_sentiment_vector
from training.records import write_json
from training.start import load_start, n_known, open_start


def load_taxonomy(config: TrainingConfig) -> Taxonomy:
    """The label set a configuration names; raises ConfigError listing those that exist."""
    try:
        return read_taxonomy(config.data.taxonomy)
    except TaxonomyError as error:
        raise ConfigError(f"data.taxonomy: {error}") from error


def fit(
    config: TrainingConfig,
    samples: Sequence[Sample],
    run: Path,
    *,
    data_name: str,
    resume: bool = False,
    processes: Processes = ALONE,
) -> tuple[Bundle, list[EpochRecord], list[Sample]]:
    """Train on samples and write `run`/bundle.

    Returns:
        The bundle, the epochs, and the validation samples that were not trained on; the same on every process.
    """
    origin = open_start(config.network)  # not after hours of training, when it may be gone
    trainer, kept, held = train(config, samples, run, resume=resume, processes=processes)
    bundle = processes.from_main(lambda: _export(config, trainer, kept, run, data_name, origin))
    return bundle, trainer.history, held


def train(
    config: TrainingConfig,
    samples: Sequence[Sample],
    run: Path,
    *,
    resume: bool = False,
    processes: Processes = ALONE,
) -> tuple[Trainer, list[Sample], list[Sample]]:
    """Everything before the export; returns the trainer with its final weights, training and validation samples.

    Raises DataError or ConfigError before anything is written where the pictures do not suffice for the recipe.
    """
    taxonomy = load_taxonomy(config)
    if (failure := emotions_failure((sample.label for sample in samples), config.network, taxonomy)) is not None:
        raise DataError(failure)
    kept, held = hold_out(samples, config.data.validation_fraction, config.seed)
    if (failure := filters_failure(config.network, taxonomy)) is not None:
        raise ConfigError(failure)
    origin = open_start(config.network)
    batches = _batches(config, kept, processes) if config.loop.epochs else None
    digest = data_digest(kept, held)
    # The others get the checkpoint handed: they may run on a machine that does not see the folder.
    state = processes.from_main(lambda: _open_run(config, kept, held, run, resume=resume))
    _warn(polarity_warning(config.loss, taxonomy), processes)
    _warn(known_warning(n_known(origin, held), len(held)), processes)
    trainer = _trainer(config, taxonomy, kept, digest, fresh=state is None, origin=origin, processes=processes)
    if batches is not None:
        trainer.fit(_dataset(config, kept, training=True), batches, _dataset(config, held), run, state=state)
    if config.fits_head_last and len({sample.label for sample in kept}) > 1:
        _fit_head(trainer.net, config, kept, trainer.device, processes)
    return trainer, kept, held


def fit_and_assess(
    config: TrainingConfig,
    samples: Sequence[Sample],
    run: Path,
    *,
    data_name: str,
    resume: bool = False,
    processes: Processes = ALONE,
) -> tuple[Bundle, dict[str, Any]]:
    """Fit, then judge the bundle on the validation pictures; writes `run`/metrics.json and `run`/report.html.

    The figures also go into the bundle. The validation pictures chose the epoch, so they flatter a little:
    `crossval` or `evaluate` on other pictures give the figures to quote.
    """
    bundle, history, held = fit(config, samples, run, data_name=data_name, resume=resume, processes=processes)
    return processes.from_main(lambda: _assess(config, bundle, history, held, run, data_name))


def _assess(
    config: TrainingConfig,
    bundle: Bundle,
    history: Sequence[EpochRecord],
    held: Sequence[Sample],
    run: Path,
    data_name: str,
) -> tuple[Bundle, dict[str, Any]]:
    rows = [asdict(record) for record in history]
    figures: dict[str, Any] = {}
    if held:
        predictor = open_judge(bundle, config.loop.device)
        name = f"{data_name}, validation part"
        figures = assess(predictor, held, run / "report.html", data_name=name, history=rows)
        bundle = with_manifest(bundle, metrics={**bundle.manifest.metrics, "validation": figures})
    metrics = {"model_id": bundle.model_id, "validation": figures, "epochs": rows}
    write_json(run / "metrics.json", metrics)
    return bundle, metrics


def pick_device(device: Device) -> torch.device:
    """The torch device; raises RuntimeUnavailableError when CUDA is asked for and absent."""
    if device is Device.CUDA and not torch.cuda.is_available():
        raise RuntimeUnavailableError("loop.device=cuda was asked for, but torch sees no NVIDIA GPU")
    use_cuda = device is not Device.CPU and torch.cuda.is_available()
    return torch.device("cuda" if use_cuda else "cpu")


def data_digest(*parts: Sequence[Sample]) -> str:
    """One hash for which pictures stand in which part, and with which label."""
    content = [sorted((sample.digest, sample.label) for sample in part) for part in parts]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _export(
    config: TrainingConfig,
    trainer: Trainer,
    kept: Sequence[Sample],
    run: Path,
    data_name: str,
    origin: Bundle | None,
) -> Bundle:
    """What a bundle to start from was trained on, and under which terms, holds for its successor too."""
    data = PictureDataset(kept, config.preprocess, cache_mb=0)  # each is looked at once
    known = origin.manifest.training_hashes if origin else ()
    rank, rng = config.network.familiarity_rank, np.random.default_rng(config.seed)
    familiarity = add_familiarity(trainer.net, data, rank, rng, n_workers=config.data.n_workers)
    return export_bundle(
        run / "bundle",
        trainer.net,
        config.preprocess.size_px,
        name=config.name,
        taxonomy=trainer.taxonomy,
        preprocess=config.preprocess,
        temperature=config.temperature,
        provenance=_provenance(config, data_name, len(kept)),
        terms=config.terms or (origin.manifest.terms if origin else DEFAULT_TERMS),
        training_hashes=tuple(sorted({sample.digest for sample in kept}.union(known))),
        familiarity=familiarity,
    )


def _open_run(
    config: TrainingConfig, kept: Sequence[Sample], held: Sequence[Sample], run: Path, *, resume: bool
) -> dict[str, Any] | None:
    """Write what the run is about; returns the state to go on from."""
    state = load_checkpoint(run, config.model_dump(mode="json"), data_digest(kept, held)) if resume else None
    if resume and state is None:
        say(f"nothing to resume in {run}; starting from the first epoch")
    run.mkdir(parents=True, exist_ok=True)
    write_json(run / "config.json", config.model_dump(mode="json"))
    _save_split(run / "split.json", kept, held)
    return state


def _batches(config: TrainingConfig, train: Sequence[Sample], processes: Processes) -> BalancedBatches:
    return BalancedBatches(
        [sample.label for sample in train],
        config.data.batch_size,
        config.data.min_per_class,
        config.seed,
        rank=processes.rank,
        world_size=processes.world_size,
    )


def _trainer(
    config: TrainingConfig,
    taxonomy: Taxonomy,
    train: Sequence[Sample],
    digest: str,
    *,
    fresh: bool,
    origin: Bundle | None,
    processes: Processes,
) -> Trainer:
    torch.manual_seed(config.seed)
    device = pick_device(config.loop.device)
    net = EmotionNet(config.network.spec(), len(taxonomy.emotions))
    if net.backbone.fixed_size_px not in (None, config.preprocess.size_px):
        raise ConfigError(f"{config.network.backbone} needs preprocess.size_px={net.backbone.fixed_size_px}")
    if fresh:
        if origin is not None:
            load_start(net, origin, config.network)
        elif config.network.pretrained:
            load_imagenet_weights(net.backbone, config.network.backbone, config.network.weights)
        _start_from_probe(net.to(device), config, taxonomy, _probe_data(config, train, net), device, processes)
    if config.optim.unfreeze_epochs:
        _warn(unfreezing_warning(len(net.backbone.stages()), config), processes)
    loss = build_loss(config.loss, taxonomy, net.spec.dim, config.seed)
    return Trainer(net, loss, config, taxonomy, device, digest, processes)


def _warn(text: str | None, processes: Processes) -> None:
    if text is not None and processes.is_main:
        say(f"warning: {text}")


def _start_from_probe(
    net: EmotionNet,
    config: TrainingConfig,
    taxonomy: Taxonomy,
    data: FixedViews,
    device: torch.device,
    processes: Processes,
) -> None:
    def fitted(reads: HeadInput) -> Probe:
        return processes.from_main(lambda: fit_probe(net, data, device, reads, n_workers=config.data.n_workers))

    network = config.network
    on_features = cache(lambda: fitted(HeadInput.FEATURES))  # at most one look at all pictures, and none if unread
    if network.sv_init is Init.PROBE:
        init_sentiment_vector(net, on_features(), taxonomy, network.polarity_scale)
    if network.head_init is Init.PROBE:
        of_embedding = network.head_input is HeadInput.EMBEDDING  # as it starts out
        init_head(net, fitted(HeadInput.EMBEDDING) if of_embedding else on_features())


def _fit_head(
    net: EmotionNet, config: TrainingConfig, kept: Sequence[Sample], device: torch.device, processes: Processes
) -> None:
    """A class head that no loss has reached becomes a probe on what it reads of the trained net.

    The paper fits a linear SVM on the features of such models (AAAI-18, "Baseline"): a logistic regression is as
    linear, and gives the probabilities that the rest of the model is made for.
    """
    data, reads = _probe_data(config, kept, net), config.network.head_input
    init_head(net, processes.from_main(lambda: fit_probe(net, data, device, reads, n_workers=config.data.n_workers)))


def _probe_data(config: TrainingConfig, samples: Sequence[Sample], net: EmotionNet) -> FixedViews:
    fixed_size = net.backbone.fixed_size_px is not None
    return FixedViews(samples, fixed_views(config.preprocess, config.network.probe_views, fixed_size=fixed_size))


def _dataset(config: TrainingConfig, samples: Sequence[Sample], *, training: bool = False) -> PictureDataset:
    augment = config.augment if training else None
    return PictureDataset(samples, config.preprocess, augment, seed=config.seed, cache_mb=config.data.cache_mb)


def _provenance(config: TrainingConfig, data_name: str, n_training_pictures: int) -> Provenance:
    return Provenance(
        created=datetime.now(UTC),
        version=version("feelalike"),
        config=config.model_dump(mode="json"),
        data=data_name,
        n_training_pictures=n_training_pictures,
        libraries=library_versions(),
        started_from=config.network.start_model_id,
    )


def _save_split(path: Path, kept: Sequence[Sample], held: Sequence[Sample]) -> None:
    split = {"train": sorted(s.digest for s in kept), "validation": sorted(s.digest for s in held)}
    write_json(path, split, indent=0)
