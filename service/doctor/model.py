"""The bundle, and whether it runs here."""

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from PIL import Image

from emotion.bundle import Bundle, load_bundle
from emotion.errors import BundleError, FeelalikeError, TaxonomyError
from emotion.predictor import Predictor
from emotion.runtime import Precision
from emotion.taxonomy import read_taxonomy
from service.doctor.finding import Finding, Findings, failed, ok, warning
from service.settings import ServiceSettings

TRAIN: Final = (
    "train one: python -m training fit --data PHOTOS --out runs/first; or name the shipped models/mikels-lite0"
)
N_WARM: Final = 5
_SIZE: Final = (640, 480)
_NORM_SLACK: Final = 1e-3

Open = Callable[[ServiceSettings], Predictor]


def read_bundle(path: Path) -> tuple[Bundle | None, list[Finding]]:
    """The bundle with every file held to its hash, and what is to be said of it."""
    try:
        bundle = load_bundle(path)
    except (BundleError, OSError) as error:
        return None, [failed("bundle", str(error), TRAIN if not path.is_dir() else "copy the whole folder again")]
    manifest = bundle.manifest
    int8 = "with an int8 graph" if manifest.int8 else "no int8 graph"
    whole = ok("bundle", f"{manifest.name}, model {bundle.model_id}, all files as recorded, {int8}")
    return bundle, [whole, _labels(bundle)]


def _labels(bundle: Bundle) -> Finding:
    taxonomy = bundle.manifest.taxonomy
    said = f"{taxonomy.name}: {', '.join(taxonomy.names)}"
    if bundle.thresholds is not None:
        said += " (several a picture)"
    try:
        shipped = read_taxonomy(taxonomy.name)
    except TaxonomyError:
        return ok("labels", f"{said}; a set of your own")
    if shipped.names != taxonomy.names:
        remedy = "no harm to the service; give your own label set a name of its own before the next training"
        return warning("labels", f"{said}; the shipped set of this name has others", remedy)
    return ok("labels", said)


def runtime_findings(settings: ServiceSettings, open_model: Open) -> Findings:
    """Load the model as the service would, and let it look at a painted picture."""
    start = time.perf_counter()
    try:
        predictor = open_model(settings)
    except FeelalikeError as error:
        yield failed("runtime", str(error), "choose another --precision or --device, or install what is named")
        return
    loaded_s = time.perf_counter() - start
    picture = painted()
    predictor.predict([picture])
    times_s = []
    for _ in range(N_WARM):
        start = time.perf_counter()
        said = predictor.predict([picture])
        times_s.append(time.perf_counter() - start)
    runtime = f"{predictor.runtime.name} on {predictor.runtime.device} at {predictor.precision}"
    norm = float(np.linalg.norm(said.embeddings[0]))
    if not np.isfinite(said.probabilities).all() or abs(norm - 1) > _NORM_SLACK:
        remedy = f"try --precision {Precision.FP32}; if that is it already, copy the bundle again"
        yield failed("runtime", f"{runtime} gives no usable numbers for a painted picture", remedy)
        return
    emotion = predictor.taxonomy.names[int(said.probabilities[0].argmax())]
    yield ok(
        "runtime",
        f"{runtime}: loaded in {loaded_s:.1f} s, a painted picture takes {1e3 * median(times_s):.0f} ms when warm "
        f"(decoding included) and looks like {emotion}",
    )


def painted() -> bytes:
    """A picture of two soft discs, as a JPEG."""
    width, height = _SIZE
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    first, second = (np.exp(-12 * ((x - cx) ** 2 + (y - cy) ** 2)) for cx, cy in ((0.3, 0.4), (0.7, 0.6)))
    pixels = np.stack([first, 0.5 * (first + second), second], axis=-1)
    stream = BytesIO()
    Image.fromarray((255 * pixels.clip(0, 1)).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()
