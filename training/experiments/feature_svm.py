"""Methods that train no network: numbers for each picture, PCA, a linear SVM."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float32, Float64, Int64
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler, normalize
from sklearn.svm import SVC

from emotion.errors import DataError
from training.data.samples import Sample
from training.evaluation.evaluate import Scored
from training.experiments.rows import FoldScores

C = 1.0
"""LIBSVM's default, as in the paper, which found that other values change little."""
N_COMPONENTS = 128
"""The paper does not say how many it keeps."""
CALIBRATION_PARTS = 5

Describe = Callable[[Sequence[Sample]], Float32[np.ndarray, "n d"]]
"""A row for each picture, in order."""


class Features(Protocol):
    """Which numbers stand for a picture."""

    @property
    def settings(self) -> dict[str, Any]:
        """JSON of all that decides the numbers, besides the pictures."""
        ...

    def fit(self, train: Sequence[Sample]) -> Describe:
        """Learn from the training pictures what has to be learned, which may be nothing."""
        ...


class Searched(StrEnum):
    """Which numbers are compared in retrieval; either way they are L2-normalised."""

    RAW = "raw"
    """The features as they are: what the paper's Table 2 compares of the descriptors."""
    REDUCED = "reduced"
    """What the SVM reads: standardised features after PCA."""


@dataclass(frozen=True)
class FeatureSvm:
    """Features -> standardised -> PCA -> length 1 -> linear SVM (LIBSVM, one against one).

    The probabilities are a softmax of the SVM's decision values; its temperature is fitted on decision values that
    cross-validation within the training pictures gives. So the most probable emotion is the one that the SVM names.
    """

    features: Features
    n_emotions: int
    """Columns of the probabilities; an emotion without a training picture gets 0."""
    searched: Searched = Searched.RAW
    seed: int = 0
    """Deals the training pictures out for the calibration."""

    @property
    def settings(self) -> dict[str, Any]:
        """JSON of all that decides the figures, besides the pictures."""
        svm = {"C": C, "n_components": N_COMPONENTS, "calibration_parts": CALIBRATION_PARTS, "seed": self.seed}
        return {
            "method": "feature_svm",
            "features": self.features.settings,
            "searched": self.searched.value,
            "svm": svm,
        }

    def score_fold(self, train: Sequence[Sample], test: Sequence[Sample], folder: Path) -> FoldScores:
        """Fit on `train`, judge both parts; leaves no file: it takes seconds to minutes.

        Raises DataError when `train` holds one emotion only, or a single picture of one.
        """
        del folder
        train, test = (sorted(part, key=lambda sample: sample.digest) for part in (train, test))
        labels = np.array([sample.label for sample in train])
        n_parts = calibration_parts(labels)
        describe = self.features.fit(train)
        raw_train, raw_test = describe(train), describe(test)
        reduce = fit_reduction(raw_train)
        reduced_train, reduced_test = reduce.transform(raw_train), reduce.transform(raw_test)
        svm = fit_svm(reduced_train, labels, n_parts, self.seed)
        return FoldScores(
            test=self._scored(test, raw_test, reduced_test, svm),
            train=self._scored(train, raw_train, reduced_train, svm),
        )

    def _scored(
        self,
        samples: Sequence[Sample],
        raw: Float32[np.ndarray, "n d"],
        reduced: Float64[np.ndarray, "n r"],
        svm: CalibratedClassifierCV,
    ) -> Scored:
        probs = np.zeros((len(samples), self.n_emotions), dtype=np.float32)
        probs[:, svm.classes_] = svm.predict_proba(reduced)
        searched = raw if self.searched is Searched.RAW else reduced
        labels = np.array([sample.label for sample in samples], dtype=np.int64)
        # A row of zeros, as SIFT gives for a picture without a keypoint, stays one: as far from all.
        return Scored(normalize(searched).astype(np.float32), probs, labels, tuple(samples))


def fit_reduction(rows: Float32[np.ndarray, "n d"]) -> Pipeline:
    """Standardise, keep the first N_COMPONENTS principal components, bring to length 1.

    Length 1 puts every kind of feature on the scale that C = 1 is meant for.
    """
    n_components = min(N_COMPONENTS, len(rows) - 1, rows.shape[1])
    pca = PCA(n_components, svd_solver="covariance_eigh")
    return make_pipeline(StandardScaler(), pca, Normalizer()).fit(rows.astype(np.float64))


def fit_svm(
    rows: Float64[np.ndarray, "n r"], labels: Int64[np.ndarray, "n"], n_parts: int, seed: int
) -> CalibratedClassifierCV:
    """A linear SVM and the temperature of its decision values."""
    parts = StratifiedKFold(n_parts, shuffle=True, random_state=seed)
    # ensemble=False: the SVM itself is one, fitted on all rows; only the temperature comes from the parts.
    # break_ties: between emotions of as many votes the decision values decide, as they do in the probabilities.
    linear = SVC(C=C, kernel="linear", break_ties=True)
    return CalibratedClassifierCV(linear, method="temperature", cv=parts, ensemble=False).fit(rows, labels)


def calibration_parts(labels: Int64[np.ndarray, "n"]) -> int:
    """Into how many parts the training pictures can be dealt out, each with every emotion; raises DataError."""
    emotions, counts = np.unique(labels, return_counts=True)
    if len(emotions) < 2 or counts.min() < 2:
        raise DataError(
            f"a linear SVM needs training pictures of two emotions and two of each; here are {len(emotions)} emotions, "
            f"the rarest with {counts.min(initial=0)}"
        )
    return int(min(CALIBRATION_PARTS, counts.min()))
