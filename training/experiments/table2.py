"""Table 2 of Yang et al., AAAI-18: descriptors, untouched networks and fine-tuned ones by eight figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from emotion.network.imagenet import weights_source
from emotion.network.spec import LITE0, ExtraBackbone
from emotion.taxonomy import Taxonomy
from training.config import TrainingConfig
from training.data.samples import Sample
from training.experiments import table1
from training.experiments.budget import Budget
from training.experiments.classical import Gabor, Hog, SiftWords, missing_libraries, why_without_libraries
from training.experiments.feature_svm import Features, FeatureSvm, Searched
from training.experiments.frozen import FrozenFeatures
from training.experiments.precomputed import DEEP_SENTIBANK_VALUES, SENTIBANK_VALUES, read_precomputed
from training.experiments.recipes import besides
from training.experiments.rows import NotRun, Row
from training.experiments.table import Study
from training.experiments.trained import config_of

BASE: Final = "softmax"
ALEXNET: Final = ExtraBackbone.ALEXNET.value
VGG: Final = "vgg16"
GOOGLENET: Final = ExtraBackbone.GOOGLENET_BVLC.value
FIGURES: Final = ("accuracy", "mAP8", "mAP2", "FT", "ST", "NN", "DCG", "ANMRR")
PAPER: Final[Mapping[str, tuple[float, ...]]] = {
    "sift": (0.3756, 0.1705, 0.5913, 0.1830, 0.3513, 0.2462, 0.4507, 0.6553),
    "hog": (0.4467, 0.2115, 0.6002, 0.1926, 0.3620, 0.3225, 0.4639, 0.6424),
    "gabor": (0.3633, 0.1724, 0.5942, 0.1768, 0.3395, 0.2641, 0.4434, 0.6770),
    "sentibank": (0.4909, 0.2337, 0.6168, 0.2422, 0.4232, 0.3990, 0.5223, 0.5934),
    "deep_sentibank": (0.5615, 0.2559, 0.6247, 0.2658, 0.4468, 0.4583, 0.5509, 0.5655),
    "imagenet": (0.4715, 0.2376, 0.6240, 0.2480, 0.4309, 0.4695, 0.5284, 0.5863),
    "alexnet": (0.5813, 0.2709, 0.6328, 0.2795, 0.4693, 0.5038, 0.5633, 0.5463),
    "vgg": (0.6455, 0.3013, 0.6552, 0.3007, 0.4887, 0.5511, 0.5860, 0.5161),
    "softmax": (0.6518, 0.3583, 0.6773, 0.3571, 0.5619, 0.5816, 0.6403, 0.4517),
    "triplet": (0.6346, 0.3951, 0.6981, 0.3932, 0.6081, 0.5578, 0.6762, 0.4082),
    "softmax_triplet": (0.6535, 0.4426, 0.7592, 0.4435, 0.6513, 0.5866, 0.7119, 0.3603),
    "ours": (0.6764, 0.4885, 0.8098, 0.4834, 0.6978, 0.6023, 0.7802, 0.3135),
}
"""The paper's rows by FIGURES; the network of the last four, and of `imagenet`, is GoogLeNet."""


FINE_TUNED: Final[Mapping[str, tuple[str, str]]] = {
    "softmax": ("softmax", "softmax, FC"),
    "triplet": ("triplet", "triplet, FC"),
    "triplet_semi_hard": ("softmax_triplet", "softmax + triplet, FC"),
    "sentiment_sv": ("ours", "softmax + sentiment, SV"),
}
"""Table 1's rows that table 2 has too: the paper's row here, and what follows the network's name in the title."""
NOTES: Final = (
    "Descriptors and untouched networks: a linear SVM (C = 1) on standardised features after PCA gives the accuracy. "
    "Searched are the descriptors themselves, and of a network what the SVM reads; both at length 1. Fine-tuned rows "
    "are those of `table1`, and a folder that both commands write shares them; one that names another network has the "
    "same recipe on it.",
    "The paper's figures stand beside the rows of its GoogLeNet and, where GoogLeNet is not run, also beside those of "
    "the network in its place.",
)


class Files(NamedTuple):
    """What no package brings; a row whose file is not given is not run."""

    alexnet: Path | None = None
    vgg: Path | None = None
    googlenet: Path | None = None
    sentibank: Path | None = None
    deep_sentibank: Path | None = None


NO_FILES: Final = Files()


@dataclass(frozen=True)
class Table2:
    """The rows, in the paper's order, then those of `backbone`; raises ConfigError where a setting does nothing."""

    budget: Budget
    backbone: str = LITE0
    weights: Path | None = None
    files: Files = NO_FILES
    sets: Sequence[str] = ()
    n_seeds: int | None = None

    @property
    def base(self) -> TrainingConfig:
        """The recipe of the row that the others are held to."""
        return config_of(self._table1(self.backbone, self._own_weights)[BASE])

    def study(self) -> Study:
        """What the table says of itself."""
        trained = self._table1(self.backbone, self._own_weights)
        return Study(
            name="table2",
            title="Descriptors, untouched networks and fine-tuned ones",
            source="Yang et al., AAAI-18, Table 2; FI, 22,713 pictures",
            base=BASE,
            notes=(
                *NOTES,
                *table1.recipes_in_words(config_of(trained["center"]), config_of(trained["ours"])),
                *besides(self.sets),
            ),
        )

    def rows(self, taxonomy: Taxonomy, samples: Sequence[Sample]) -> list[Row]:
        """All rows; raises DataError where a given file of features is damaged or lacks one of these pictures."""
        n_emotions = len(taxonomy.emotions)
        imagenet, *tuned = self._googlenet(n_emotions)
        return [
            *_descriptors(n_emotions),
            self._computed_elsewhere("sentibank", "SentiBank", SENTIBANK_VALUES, n_emotions, samples),
            self._computed_elsewhere("deep_sentibank", "DeepSentiBank", DEEP_SENTIBANK_VALUES, n_emotions, samples),
            imagenet,
            self._softmax("alexnet", "AlexNet", ALEXNET, self.files.alexnet),
            self._softmax("vgg", "VGG", VGG, self.files.vgg),
            *tuned,
            *([] if self._is_googlenet else self._in_its_place(n_emotions)),
        ]

    @property
    def _is_googlenet(self) -> bool:
        return self.backbone == GOOGLENET

    @property
    def _own_weights(self) -> Path | None:
        return self.weights or (self.files.googlenet if self._is_googlenet else None)

    def _googlenet(self, n_emotions: int) -> list[Row]:
        """The paper's network: under table 1's keys where it is also `--backbone`."""
        weights = self._own_weights if self._is_googlenet else self.files.googlenet
        prefix = "" if self._is_googlenet else "googlenet_"
        if weights is not None:
            return self._network("GoogLeNet", GOOGLENET, weights, n_emotions, prefix)
        reason = _needs("googlenet", GOOGLENET)
        rows = [Row(f"{prefix}imagenet", "GoogLeNet: ImageNet features", reason, source("imagenet"))]
        for key, (paper, title) in FINE_TUNED.items():
            rows.append(Row(prefix + key, f"GoogLeNet: {title}", reason, source(paper)))
        return rows

    def _in_its_place(self, n_emotions: int) -> list[Row]:
        """`--backbone`, with the paper's figures where the paper's own network is not run."""
        rows = self._network(self.backbone, self.backbone, self.weights, n_emotions)
        rows = [replace(row, source={}) for row in rows] if self.files.googlenet else rows
        return [*rows, self._table1(self.backbone, self.weights)["ours"]]

    def _network(self, title: str, backbone: str, weights: Path | None, n_emotions: int, prefix: str = "") -> list[Row]:
        """Untouched, then fine-tuned in the four ways."""
        trained = self._table1(backbone, weights)
        frozen = FeatureSvm(FrozenFeatures(config_of(trained[BASE])), n_emotions, Searched.REDUCED)
        rows = [Row(f"{prefix}imagenet", f"{title}: ImageNet features", frozen, source("imagenet"))]
        for key, (paper, named) in FINE_TUNED.items():
            rows.append(replace(trained[key], key=prefix + key, title=f"{title}: {named}", source=source(paper)))
        return rows

    def _softmax(self, key: str, title: str, backbone: str, weights: Path | None) -> Row:
        title = f"{title}: softmax, FC"
        if weights is None:
            return Row(key, title, _needs(key, backbone), source(key))
        return replace(self._table1(backbone, weights)[BASE], key=key, title=title, source=source(key))

    def _computed_elsewhere(
        self, key: str, title: str, n_values: int, n_emotions: int, samples: Sequence[Sample]
    ) -> Row:
        file: Path | None = getattr(self.files, key)
        if file is None:
            reason = f"needs --{key.replace('_', '-')} FILE: {n_values} numbers a picture, see docs/studies/table2.md"
            return Row(key, title, NotRun(reason), source(key))
        features = read_precomputed(file, n_values)
        features.check(samples)
        return Row(key, title, FeatureSvm(features, n_emotions), source(key))

    def _table1(self, backbone: str, weights: Path | None) -> dict[str, Row]:
        made = table1.make_rows(self.budget, backbone=backbone, weights=weights, sets=self.sets, n_seeds=self.n_seeds)
        return {row.key: row for row in made}


def source(row: str) -> dict[str, float]:
    """The paper's figures of one of its rows."""
    return dict(zip(FIGURES, PAPER[row], strict=True))


def _descriptors(n_emotions: int) -> list[Row]:
    described: list[tuple[str, str, Features]] = [
        ("sift", "SIFT words", SiftWords()),
        ("hog", "HOG", Hog()),
        ("gabor", "Gabor", Gabor()),
    ]
    missing = missing_libraries()
    without = NotRun(why_without_libraries(missing)) if missing else None
    return [
        Row(key, title, without or FeatureSvm(features, n_emotions), source(key)) for key, title, features in described
    ]


def _needs(option: str, backbone: str) -> NotRun:
    return NotRun(f"needs --{option}-weights FILE: {weights_source(backbone)}")
