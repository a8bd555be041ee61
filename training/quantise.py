"""A bundle's network in 8 bits: NNCF's post-training quantisation, calibrated on pictures that trained the model."""

import hashlib
import logging
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from emotion.arrays import PixelBatch
from emotion.bundle import INT8_NAMES, Bundle, add_int8_graph
from emotion.console import progress, say
from emotion.errors import DataError, RuntimeUnavailableError
from emotion.images import decode, read_picture_bytes
from emotion.preprocess import prepare
from training.data.names import source_name
from training.evaluation.familiarity import picture_paths

N_PICTURES: Final = 300
SEED: Final = 0
LIBRARIES: Final = ("nncf", "openvino")
_CONVOLUTIONS: Final = frozenset({"Convolution", "GroupConvolution"})


def quantise(bundle: Bundle, data: Path, n_pictures: int = N_PICTURES) -> Bundle:
    """Give a bundle its int8 graph, in place of one that it has.

    Args:
        bundle: changed on disk; its other precisions and its model_id stay.
        data: the pictures that trained it, labelled or not; those that did not are left alone, so that an evaluation
            on them stays honest.
        n_pictures: how many of them show the ranges of the activations.

    Raises:
        DataError: none of the pictures trained the bundle.
        RuntimeUnavailableError: nncf or openvino is not installed.
    """
    _libraries()  # before the time that it takes to read the pictures
    return calibrated(bundle, calibration_pictures(bundle, data, n_pictures), source_name(data))


def calibrated(bundle: Bundle, paths: Sequence[Path], source: str) -> Bundle:
    """Likewise, with the activations' ranges of just these pictures.

    Args:
        bundle: changed on disk.
        paths: the pictures.
        source: what the manifest is to call them.
    """
    nncf, ov = _libraries()
    # The conversion folds constants. As the ONNX file is read, depthwise kernels are the result of a reshape, which
    # NNCF does not take for weights: they would stay float, and the whole would be slower than bf16.
    model = ov.convert_model(str(bundle.onnx_path))
    say(f"calibrating on {len(paths)} pictures")
    quantised = nncf.quantize(
        model,
        nncf.Dataset(list(paths), lambda path: _pixels(bundle, path)),
        # Symmetric activations: a seventh faster than `mixed`, and no worse (docs/experiments.md).
        preset=nncf.QuantizationPreset.PERFORMANCE,
        target_device=nncf.TargetDevice.CPU,
        subset_size=len(paths),
        ignored_scope=nncf.IgnoredScope(names=float_operations(model), validate=False),
        # Weights of 7 bits. With 8, sums of products overflow 16 bits on CPUs without VNNI and embeddings move by .06
        # from those of other CPUs; so they are the same on all.
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
    )

    def write_files(folder: Path) -> None:
        ov.save_model(quantised, str(folder / INT8_NAMES[0]), compress_to_fp16=False)

    libraries = {name: version(name) for name in LIBRARIES}
    return add_int8_graph(bundle, write_files, data=source, n_pictures=len(paths), libraries=libraries)


def calibration_pictures(bundle: Bundle, data: Path, n_pictures: int) -> list[Path]:
    """A sample, the same every time, of the pictures that trained the bundle; raises DataError where none did."""
    trained = frozenset(bundle.manifest.training_hashes)
    paths = picture_paths(data, bundle.manifest.taxonomy)
    found: dict[str, Path] = {}
    with progress("reading", len(paths), "pictures") as advance:
        for path in paths:
            digest = hashlib.sha256(read_picture_bytes(path)).hexdigest()
            if digest in trained:
                found.setdefault(digest, path)
            advance(1)
    if not found:
        raise DataError(f"none of the {len(paths)} pictures of {data} trained {bundle.path}; name those that did")
    digests = sorted(found)
    chosen = np.random.default_rng(SEED).permutation(len(digests))[:n_pictures]
    return [found[digests[i]] for i in sorted(chosen)]


def float_operations(model: Any) -> list[str]:
    """Names of an OpenVINO model's operations that no convolution follows, which stay in float32.

    They are the reductions of the levels, Gram matrices, norms, class head and familiarity: little work, and in 8 bits
    the embedding moves more than twice as far and the familiarity means nothing any more.
    """
    followed: set[str] = set()
    waiting = [operation for operation in model.get_ops() if operation.get_type_name() in _CONVOLUTIONS]
    while waiting:
        for place in waiting.pop().inputs():
            before = place.get_source_output().get_node()
            if before.get_friendly_name() not in followed:
                followed.add(before.get_friendly_name())
                waiting.append(before)
    names = {o.get_friendly_name() for o in model.get_ops() if o.get_type_name() not in ("Constant", "Result")}
    return sorted(names - followed)


def _pixels(bundle: Bundle, path: Path) -> PixelBatch:
    spec = bundle.manifest.preprocess
    return prepare(decode(read_picture_bytes(path), min_side=spec.min_side_px, name=str(path)), spec)[None]


def _libraries() -> Sequence[Any]:
    """Imports nncf and openvino; neither reports its use to anybody, and NNCF says only what went wrong."""
    try:
        import emotion.openvino_runtime  # noqa: F401 - first, since it keeps both from reporting

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations among their own imports
            import nncf
            import openvino
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"quantising needs nncf and openvino ({error}); install them: pip install 'feelalike[cpu,int8,training]'"
        ) from error
    nncf.set_log_level(logging.ERROR)
    return nncf, openvino
