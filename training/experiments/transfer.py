"""What a model learnt on one set of pictures is worth on another, a small one.

Source: Yang et al., AAAI-18, "Implementation Details" and "Results on Small-Scale Datasets": the network fine-tuned on
FI, with its hyper-parameters, goes on to IAPSa, ArtPhoto and Abstract; 80 % to train on and 20 % to test, five times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from emotion.bundle import Bundle, BundleManifest, load_bundle
from emotion.errors import ConfigError, DataError
from emotion.network.backbone import build_backbone
from emotion.network.imagenet import packaged_file, weights_source
from emotion.network.spec import EmbeddingKind, NetworkSpec
from emotion.runtime import Device
from emotion.taxonomy import Taxonomy, read_taxonomy, taxonomy_names
from training.assess import leave_out_training_pictures, open_judge
from training.config import Init, TrainingConfig
from training.config_file import parse_config
from training.data.layouts import Layout
from training.data.names import source_name
from training.data.samples import Sample, read_samples, report_skipped
from training.data.splits import load_or_make_folds
from training.evaluation.evaluate import Scored, score
from training.experiments.budget import Budget
from training.experiments.figures import Setting
from training.experiments.recipes import N_FOLDS, N_SEEDS
from training.experiments.rows import FoldScores, NotRun, Row
from training.experiments.runner import run_rows
from training.experiments.table import Study
from training.experiments.trained import with_seeds
from training.records import write_json
from training.start import n_known

NAME: Final = "transfer"
LEAST: Final = 2 * N_FOLDS
"""Fewest pictures of an emotion that is classified: two in every test fold, so that one of them can find the other.
IAPSa has 8 of anger and Abstract 3, which the paper leaves out as too few for five folds."""
SEED: Final = 0
"""Of the sample and of the split."""
QUICK_PER_CLASS: Final = 40
QUICK_SIZE_PX: Final = 160
QUICK_EPOCHS: Final = 8
BASE: Final = "imagenet-tuned"
SOURCE: Final = "Yang et al., AAAI-18, figure 6: IAPSa, ArtPhoto and Abstract, as bars without numbers"


class Pictures(NamedTuple):
    """What of a data set takes part."""

    asked: list[Sample]
    """Trained on and tested, fold by fold."""
    searched: tuple[Sample, ...]
    """Of emotions with too few pictures for the folds: they only stand in the gallery."""
    rare: dict[str, int]
    """How many of which emotion those are."""


@dataclass(frozen=True)
class AsItIs:
    """The bundle without any training, at its own picture size."""

    bundle: Bundle
    taxonomy: Taxonomy
    """Of the pictures."""
    searched: tuple[Sample, ...]
    device: Device

    @property
    def settings(self) -> dict[str, Any]:
        """The bundle's identity."""
        digests = sorted(sample.digest for sample in self.searched)
        return {"method": "bundle", "model_id": self.bundle.model_id, "searched": digests}

    def score_fold(self, train: Sequence[Sample], test: Sequence[Sample], folder: Path) -> FoldScores:
        """Judge both parts; without probabilities where the bundle has other emotions."""
        del folder
        predictor = open_judge(self.bundle, self.device)
        parts = score(predictor, test, "test fold"), score(predictor, [*train, *self.searched], "other pictures")
        return FoldScores(*map(self._in_our_labels, parts))

    def _in_our_labels(self, scored: Scored) -> Scored:
        if self.bundle.manifest.taxonomy.names == self.taxonomy.names:
            return scored
        return replace(scored, probs=np.full((len(scored.labels), len(self.taxonomy.names)), np.nan, np.float32))


def run(
    bundle_path: Path,
    data: Path,
    out: Path,
    *,
    setting: Budget = Budget.QUICK,
    taxonomy: str | None = None,
    label_column: str | None = None,
    layout: Layout | None = None,
    per_class: int | None = None,
    weights: Path | None = None,
    device: Device = Device.AUTO,
    numbers: Sequence[int] = tuple(range(N_FOLDS)),
) -> str:
    """The whole study; returns its table and leaves `out`/transfer.md and `out`/transfer.json.

    Args:
        bundle_path: the model to transfer.
        data: the small data set.
        out: where the results go; the same call goes on there.
        setting: how much of the data, at which size, for how many epochs.
        taxonomy: the data's label set; None is the bundle's.
        label_column: of a manifest.
        layout: of the data, where that is not clear.
        per_class: at most so many pictures of an emotion, drawn by a fixed seed; None is as `setting` says.
        weights: ImageNet weights, where no package and no recipe of the bundle has them.
        device: where all is computed.
        numbers: folds to run.
    """
    bundle, name = load_bundle(bundle_path), source_name(data)
    out.mkdir(parents=True, exist_ok=True)
    named = taxonomy or _own_label_set(bundle.manifest, out)
    label_set = read_taxonomy(named)
    recipes = Recipes.of(bundle, named, setting, weights, device)
    samples, skipped = read_samples(data, label_set, label_column, layout)
    report_skipped(skipped, out)
    limit = per_class or (QUICK_PER_CLASS if setting is Budget.QUICK else None)
    pictures = choose(leave_out_training_pictures(bundle, samples), label_set, limit)
    rows = make_rows(recipes, label_set, pictures.searched, N_SEEDS[setting])
    about = _about(bundle, name, pictures, n_known(bundle, samples), limit)
    study = _study(f"Transfer of {bundle.manifest.name} to {name}", [about, recipes.described(), _PROTOCOL])
    folds = load_or_make_folds(out / "folds.json", pictures.asked, N_FOLDS, SEED)
    return run_rows(study, rows, pictures.asked, label_set, folds, out, numbers=numbers)


def _study(title: str, notes: Sequence[str]) -> Study:
    return Study(
        name=NAME,
        title=title,
        source=SOURCE,
        base=BASE,
        settings=(Setting.LEAVE_ONE_OUT, Setting.UNSEEN_GALLERY),
        source_setting=Setting.LEAVE_ONE_OUT,
        notes=notes,
        orders=False,
    )


def choose(samples: Sequence[Sample], taxonomy: Taxonomy, per_class: int | None) -> Pictures:
    """Thin out every emotion to `per_class` pictures, and set those aside that are too rare for the folds.

    Raises DataError where fewer than two emotions are left to be told apart.
    """
    asked, searched, rare = [], [], {}
    for label, name in enumerate(taxonomy.names):
        of_emotion = sorted((s for s in samples if s.label == label), key=lambda sample: sample.digest)
        order = np.random.default_rng((SEED, label)).permutation(len(of_emotion))[:per_class]
        drawn = [of_emotion[place] for place in order]
        if len(drawn) >= LEAST:
            asked += drawn
        elif drawn:
            rare[name] = len(drawn)
            searched += drawn
    if len({sample.label for sample in asked}) < 2:
        raise DataError(
            f"{N_FOLDS} folds need {LEAST} pictures of an emotion, and two such emotions; there are "
            f"{', '.join(f'{count} {name}' for name, count in rare.items()) or 'none'} and "
            f"{len(asked)} of one that has enough"
        )
    return Pictures(asked, tuple(searched), rare)


@dataclass(frozen=True)
class Recipes:
    """The bundle's own training, changed as the rows need it."""

    bundle: Bundle
    own: Mapping[str, Any]
    """The configuration in its provenance."""
    taxonomy: str
    size_px: int
    epochs: int | None
    """None: as many as the bundle was trained for."""
    weights: Path | None
    device: Device

    @classmethod
    def of(cls, bundle: Bundle, taxonomy: str, setting: Budget, weights: Path | None, device: Device) -> "Recipes":
        """Raises ConfigError where the bundle does not say how it was trained."""
        own, size_px = bundle.manifest.provenance.config, bundle.manifest.preprocess.size_px
        if not isinstance(own.get("network"), dict):
            raise ConfigError(f"{bundle.path} does not say how it was trained; take a bundle written by `training fit`")
        if own.get("loop", {}).get("epochs") == 0:
            raise ConfigError(f"{bundle.path} is a probe that was not trained; there is no recipe to fine-tune by")
        known = own["network"].get("weights")
        weights = weights or (Path(known) if known else None)
        if setting is Budget.FULL:
            return cls(bundle, own, taxonomy, size_px, None, weights, device)
        if not _has_fixed_size(bundle.manifest.network):
            size_px = min(size_px, QUICK_SIZE_PX)
        epochs = min(QUICK_EPOCHS, own.get("loop", {}).get("epochs", QUICK_EPOCHS))
        return cls(bundle, own, taxonomy, size_px, epochs, weights, device)

    def tuned(self, *, from_bundle: bool) -> TrainingConfig:
        """Fine-tuned with the hyper-parameters of the bundle's own training, to the last epoch."""
        network = self._network(from_bundle=from_bundle)
        if from_bundle and read_taxonomy(self.taxonomy).names == self.bundle.manifest.taxonomy.names:
            network["probe_views"] = 1  # nothing starts from a probe
        epochs = {} if self.epochs is None else {"epochs": self.epochs}
        loop = {**self.own.get("loop", {}), "patience": 0, **epochs, "device": self.device.value}
        return self._config("tuned", network, {**self._kept("optim", "loss", "augment"), "loop": loop})

    def untrained(self, *, from_bundle: bool) -> TrainingConfig:
        """A probe on a network that stays as it is."""
        sv_init = Init.PROBE
        if self.bundle.manifest.network.embedding is EmbeddingKind.FC:  # which no probe fills
            sv_init = Init.BUNDLE if from_bundle else Init.RANDOM
        network = self._network(from_bundle=from_bundle)
        network |= {"freeze_trunk": True, "head_init": Init.PROBE.value, "sv_init": sv_init.value}
        return self._config("untrained", network, {"loop": {"epochs": 0, "device": self.device.value}})

    def imagenet_failure(self) -> str | None:
        """Why no row can start from ImageNet weights."""
        name = self.bundle.manifest.network.backbone
        if self.weights is not None:
            missing = f"{self.weights} is not there; --weights FILE takes ImageNet weights of {name}"
            return None if self.weights.is_file() else missing
        try:
            packaged_file(name)
        except ConfigError:
            return f"no ImageNet weights of {name} at hand; --weights FILE takes them, from {weights_source(name)}"
        return None

    def described(self) -> str:
        """A paragraph for the page."""
        loop = self.tuned(from_bundle=True).loop
        return (
            f"Fine-tuned: by the bundle's own recipe for {loop.epochs} epochs, without validation pictures. All rows "
            f"at {self.size_px} pixels, but the bundle as it is at its own {self.bundle.manifest.preprocess.size_px}."
        )

    def _config(self, name: str, network: Mapping[str, Any], sections: Mapping[str, Any]) -> TrainingConfig:
        preprocess = self.bundle.manifest.preprocess.model_dump(mode="json") | {"size_px": self.size_px}
        data = {**self.own.get("data", {}), "taxonomy": self.taxonomy, "validation_fraction": 0}
        tree = {"name": name, "seed": self.own.get("seed", 0), "data": data, "preprocess": preprocess}
        return parse_config({**tree, "network": network, **sections})

    def _network(self, *, from_bundle: bool) -> dict[str, Any]:
        """As the bundle's, whatever that one started from."""
        own = self.own["network"]
        kept = {"freeze_trunk", "freeze_batch_norm", "probe_views", "polarity_scale"} & own.keys()
        network = self.bundle.manifest.network.model_dump(mode="json") | {key: own[key] for key in kept}
        network |= {"pretrained": True, "familiarity_rank": 0}
        if from_bundle:  # head and embedding as they fit, see training/inherited.py
            return network | {"start": str(self.bundle.path)}
        inits = {key: own.get(key, Init.PROBE.value) for key in ("head_init", "sv_init")}
        network |= {key: Init.PROBE.value if init == Init.BUNDLE else init for key, init in inits.items()}
        return network | {"weights": None if self.weights is None else str(self.weights)}

    def _kept(self, *sections: str) -> dict[str, Any]:
        return {name: self.own[name] for name in sections if name in self.own}


def make_rows(recipes: Recipes, taxonomy: Taxonomy, searched: tuple[Sample, ...], n_seeds: int = 1) -> list[Row]:
    """In the order of the page; fine-tuned ones with so many seeds. Two need ImageNet weights."""

    def trained(key: str, title: str, config: TrainingConfig) -> Row:
        seeds = with_seeds(config, n_seeds if config.loop.epochs else 1)
        method, *repeats = (replace(one, searched=searched) for one in seeds)
        return Row(key, title, method, repeats=repeats)

    rows = [
        Row("bundle", "bundle as it is", AsItIs(recipes.bundle, taxonomy, searched, recipes.device)),
        trained("bundle-probe", "bundle, frozen, with a new head", recipes.untrained(from_bundle=True)),
        trained("bundle-tuned", "fine-tuned from the bundle (the paper's way)", recipes.tuned(from_bundle=True)),
    ]
    tuned, frozen = "fine-tuned from ImageNet", "ImageNet, frozen, with a new head"
    if (failure := recipes.imagenet_failure()) is not None:
        return [*rows, Row(BASE, tuned, NotRun(failure)), Row("imagenet-probe", frozen, NotRun(failure))]
    return [
        *rows,
        trained(BASE, tuned, recipes.tuned(from_bundle=False)),
        trained("imagenet-probe", frozen, recipes.untrained(from_bundle=False)),
    ]


_PROTOCOL = (
    "The data is split into five parts; every part is tested once, by a model that was trained on the other four "
    "(80/20, as in the paper). In the paper every picture searches all the others. So it does here: a test picture "
    "searches the four parts that its model was trained on, which flatters every row that is trained, and the rest of "
    "its own. In the unseen gallery it searches the rest of its own part alone."
)


def _about(bundle: Bundle, name: str, pictures: Pictures, n_left_out: int, per_class: int | None) -> str:
    told = [f"{len(pictures.asked)} pictures of {name}"]
    if per_class is not None:
        told.append(f"at most {per_class} of an emotion, drawn by a fixed seed")
    text = ", ".join(told) + f"; model {bundle.model_id}."
    text += f" {n_left_out or 'No'} pictures trained the bundle{' and are left out' if n_left_out else ''}."
    if pictures.rare:
        rare = ", ".join(f"{emotion} ({count})" for emotion, count in pictures.rare.items())
        text += (
            f" Fewer than {LEAST} pictures, too few for five folds: {rare}. Nothing is trained on them and they ask "
            "nothing; they stay in the gallery that is searched, as in the paper's data, but in no unseen one."
        )
    else:
        text += " Every emotion has enough pictures for five folds."
    return text


def _own_label_set(manifest: BundleManifest, out: Path) -> str:
    """The bundle's label set as a configuration names it: shipped, or in a file beside the results."""
    own = manifest.taxonomy
    if own.name in taxonomy_names() and read_taxonomy(own.name) == own:
        return own.name
    path = out / "taxonomy.json"
    write_json(path, own.model_dump(mode="json"))
    return str(path)


def _has_fixed_size(spec: NetworkSpec) -> bool:
    with torch.device("meta"):
        return build_backbone(spec).fixed_size_px is not None
