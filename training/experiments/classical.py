"""Descriptors from before networks, by libraries: SIFT words, HOG, Gabor (Table 2 of Yang et al., AAAI-18).

The paper names them and no setting; those here are the usual ones. Colour has no part in any.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Float32
from PIL import Image
from sklearn.cluster import MiniBatchKMeans

from emotion.console import progress
from emotion.errors import ConfigError, DataError
from training.data.dataset import decode_sample
from training.data.samples import Sample
from training.experiments.feature_svm import Describe

LIBRARIES: Final = {"cv2": "opencv-python-headless", "skimage": "scikit-image"}
"""What the extra `experiments` installs: module and package."""
SIFT_WIDTH = 128


@dataclass(frozen=True)
class Hog:
    """Histograms of oriented gradients (Dalal and Triggs, 2005) of the whole picture squashed into a square."""

    side_px: int = 128
    cell_px: int = 16
    cells_per_block: int = 2
    n_orientations: int = 9

    @property
    def n_values(self) -> int:
        """1764 as it stands: 7 x 7 blocks of 2 x 2 cells of 9 orientations."""
        n_blocks = self.side_px // self.cell_px - self.cells_per_block + 1
        return n_blocks**2 * self.cells_per_block**2 * self.n_orientations

    @property
    def settings(self) -> dict[str, Any]:
        """JSON of all that decides the numbers, besides the pictures."""
        return {"kind": "hog"} | asdict(self)

    def fit(self, train: Sequence[Sample]) -> Describe:
        """Nothing is learned; raises ConfigError without the extra `experiments`."""
        del train
        check_libraries()
        return partial(_each, "HOG", self.side_px, self.of)

    def of(self, picture: Image.Image) -> Float32[np.ndarray, "d"]:
        """The descriptor of one picture."""
        from skimage.feature import hog

        cell, block = (self.cell_px,) * 2, (self.cells_per_block,) * 2
        values = hog(_square(picture, self.side_px), self.n_orientations, cell, block, block_norm="L2-Hys")
        return np.asarray(values, dtype=np.float32)


@dataclass(frozen=True)
class Gabor:
    """Mean and deviation of the magnitude of Gabor responses (Manjunath and Ma, 1996), the picture a square."""

    side_px: int = 128
    frequencies: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4)
    """Cycles per pixel, an octave apart."""
    n_orientations: int = 6
    bandwidth_octaves: float = 1.0

    @property
    def n_values(self) -> int:
        """48 as it stands: two numbers for each of 4 frequencies in 6 directions."""
        return 2 * len(self.frequencies) * self.n_orientations

    @property
    def settings(self) -> dict[str, Any]:
        """JSON of all that decides the numbers, besides the pictures."""
        return {"kind": "gabor"} | asdict(self) | {"frequencies": list(self.frequencies)}

    def fit(self, train: Sequence[Sample]) -> Describe:
        """Nothing is learned; raises ConfigError without the extra `experiments`."""
        del train
        check_libraries()
        return partial(_each, "Gabor", self.side_px, partial(self.of, bank=self.bank()))

    def bank(self) -> list[np.ndarray]:
        """The complex kernels, frequency by frequency."""
        from skimage.filters import gabor_kernel

        angles = np.pi * np.arange(self.n_orientations) / self.n_orientations
        return [gabor_kernel(f, angle, self.bandwidth_octaves) for f in self.frequencies for angle in angles]

    def of(self, picture: Image.Image, bank: Sequence[np.ndarray]) -> Float32[np.ndarray, "d"]:
        """The descriptor of one picture: all means and deviations, kernel by kernel."""
        import cv2

        grey = _square(picture, self.side_px)
        grey = grey - grey.mean()  # a real part that does not sum to 0 would measure brightness
        values = []
        for kernel in bank:
            real, imaginary = (cv2.filter2D(grey, cv2.CV_32F, part) for part in (kernel.real, kernel.imag))
            magnitude = np.hypot(real, imaginary)
            values += [magnitude.mean(), magnitude.std()]
        return np.array(values, dtype=np.float32)


@dataclass(frozen=True)
class SiftWords:
    """How often each visual word occurs (Sivic and Zisserman, 2003), words of SIFT descriptors (Lowe, 2004).

    The words are k-means centres over descriptors of training pictures. The histogram sums to 1 and its root is taken
    (Hellinger's kernel), so its length is 1; a picture without a keypoint has zeros.
    """

    n_words: int = 500
    side_px: int = 300
    """Every picture is brought to the area of a square of this side, its shape kept."""
    max_keypoints: int = 500
    """The strongest of a picture."""
    max_pictures: int = 2000
    """Training pictures that the words are learned from, drawn by lot where there are more."""
    max_descriptors: int = 100
    """Drawn by lot from each of them."""
    seed: int = 0

    @property
    def n_values(self) -> int:
        """One for each word."""
        return self.n_words

    @property
    def settings(self) -> dict[str, Any]:
        """JSON of all that decides the numbers, besides the pictures."""
        return {"kind": "sift"} | asdict(self)

    def fit(self, train: Sequence[Sample]) -> Describe:
        """Learn the words; raises ConfigError without the extra `experiments`, DataError without any keypoint."""
        check_libraries()
        vocabulary = self.vocabulary(train)
        return partial(_each, "SIFT", self.side_px, partial(self.of, vocabulary=vocabulary))

    def vocabulary(self, train: Sequence[Sample]) -> MiniBatchKMeans:
        """The words of these pictures; fewer than `n_words` where they have fewer descriptors."""
        rng = np.random.default_rng(self.seed)
        chosen = rng.permutation(len(train))[: self.max_pictures]
        found = []
        with progress("SIFT words", len(chosen), "pictures") as advance:
            for row in chosen:
                descriptors = self.descriptors(decode_sample(train[row], self.side_px))
                found.append(descriptors[rng.permutation(len(descriptors))[: self.max_descriptors]])
                advance(1)
        descriptors = np.concatenate(found)
        if len(descriptors) == 0:
            raise DataError("SIFT finds no keypoint in any training picture: are they all of one colour?")
        n_words = min(self.n_words, len(descriptors))
        return MiniBatchKMeans(n_words, random_state=self.seed, n_init=1).fit(descriptors)

    def of(self, picture: Image.Image, vocabulary: MiniBatchKMeans) -> Float32[np.ndarray, "d"]:
        """The root of the share that each word has among the picture's keypoints."""
        descriptors = self.descriptors(picture)
        if len(descriptors) == 0:
            return np.zeros(self.n_words, dtype=np.float32)
        counts = np.bincount(vocabulary.predict(descriptors), minlength=self.n_words).astype(np.float32)
        return np.asarray(np.sqrt(counts / counts.sum()))

    def descriptors(self, picture: Image.Image) -> Float32[np.ndarray, "k 128"]:
        """SIFT at the strongest keypoints."""
        import cv2

        scale = self.side_px / (picture.width * picture.height) ** 0.5
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        grey = np.asarray(picture.convert("L").resize(size, Image.Resampling.BICUBIC))
        _, descriptors = cv2.SIFT_create(nfeatures=self.max_keypoints).detectAndCompute(grey, None)
        return np.zeros((0, SIFT_WIDTH), dtype=np.float32) if descriptors is None else descriptors


def missing_libraries() -> list[str]:
    """The packages of the extra `experiments` that are not installed."""
    return [package for module, package in LIBRARIES.items() if find_spec(module) is None]


def check_libraries() -> None:
    """Raise ConfigError where the extra `experiments` is not installed."""
    if missing := missing_libraries():
        raise ConfigError(why_without_libraries(missing))


def why_without_libraries(missing: Sequence[str]) -> str:
    """What to say where packages are missing."""
    return f"needs {' and '.join(missing)}, of the extra `experiments`: pip install -e '.[cpu,training,experiments]'"


def _each(
    name: Literal["HOG", "Gabor", "SIFT"],
    min_side_px: int,
    of: Callable[[Image.Image], Float32[np.ndarray, "d"]],
    samples: Sequence[Sample],
) -> Float32[np.ndarray, "n d"]:
    rows = []
    with progress(name, len(samples), "pictures") as advance:
        for sample in samples:
            rows.append(of(decode_sample(sample, min_side_px)))
            advance(1)
    return np.stack(rows)


def _square(picture: Image.Image, side_px: int) -> Float32[np.ndarray, "s s"]:
    """Grey in 0..1, both sides resized."""
    grey = picture.convert("L").resize((side_px, side_px), Image.Resampling.BICUBIC)
    return np.asarray(grey, dtype=np.float32) / np.float32(255)
