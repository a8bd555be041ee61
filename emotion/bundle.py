"""A model on disk: bundle.json + weights.safetensors + model.onnx, and the int8 graph where one was made.

`model_id` is the hash of everything that decides the numbers a picture gets: the two files, label set,
preprocessing, network, temperature, and thresholds where it has any. An index carries it, so that vectors of two
models never meet.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from emotion.arrays import Probabilities
from emotion.errors import BundleError
from emotion.familiarity import FamiliarityScale
from emotion.network.spec import NetworkSpec
from emotion.preprocess import PreprocessSpec
from emotion.taxonomy import Taxonomy

SCHEMA_VERSION: Final = 1
MANIFEST_NAME = "bundle.json"
WEIGHTS_NAME = "weights.safetensors"
ONNX_NAME = "model.onnx"
INT8_NAMES: Final = ("model-int8.xml", "model-int8.bin")
"""OpenVINO's own format: the graph and its weights."""
DECIDING = ("taxonomy", "preprocess", "network", "temperature", "files")
"""What the numbers of a picture depend on."""
DECIDING_IF_GIVEN = ("thresholds",)
"""The same, but only where it is there: bundles without keep the identity they had before it existed."""
T = TypeVar("T")

DEFAULT_TERMS = "The training data's own terms apply."


class Provenance(BaseModel):
    """Where a model comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    created: datetime
    """When the training ended, in UTC."""
    version: str
    """Version of this software."""
    config: dict[str, Any]
    """The training configuration in full, seeds included."""
    data: str
    """Name of the training data."""
    n_training_pictures: int
    """Pictures that the weights learnt from."""
    libraries: dict[str, str] = {}
    """Versions of the libraries that made it."""
    started_from: str | None = None
    """model_id of the bundle whose weights the training began with; None: ImageNet's, or none."""


class Int8Graph(BaseModel):
    """The network in 8 bits: made after training, from the ONNX graph and what pictures do in it.

    It decides the numbers of no other precision, so it can be added to a bundle, or made anew, as the model stays.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[str, str]
    """File name to sha256."""
    data: str
    """Name of the pictures that it was calibrated on."""
    n_pictures: int
    """How many of them."""
    libraries: dict[str, str] = {}
    """Versions of the libraries that made it."""

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        if set(self.files) != set(INT8_NAMES):
            raise ValueError(f"an int8 graph is the files {' and '.join(INT8_NAMES)}")
        return self


class BundleManifest(BaseModel):
    """The content of bundle.json."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    schema_version: Literal[1] = SCHEMA_VERSION
    """Of this file."""
    model_id: str
    """Hash of everything that decides the numbers of a picture."""
    name: str
    """For people; `name` of the recipe."""
    taxonomy: Taxonomy
    preprocess: PreprocessSpec
    network: NetworkSpec
    temperature: float = Field(default=1.0, gt=0)
    """Divides the logits before the softmax."""
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None
    """Probability from which each emotion counts. Their presence makes the model multi-label: a picture may have
    several emotions or none, and each probability is a sigmoid of its own."""
    files: dict[str, str]
    """File name to sha256."""
    provenance: Provenance
    metrics: dict[str, Any] = {}
    """Measured quality: setting to metric to value."""
    terms: str = DEFAULT_TERMS
    """Terms of use that come from the training data; shown to users."""
    training_hashes: tuple[str, ...] = ()
    """sha256 of every training picture's bytes, so that an evaluation can leave them out."""
    familiarity: FamiliarityScale | None = None
    """What the graph's `unfamiliarity` means; None where it has no such output."""
    int8: Int8Graph | None = Field(default=None, exclude_if=lambda graph: graph is None)
    """What `--precision int8` runs; None until `training quantise` has made it."""

    @model_validator(mode="after")
    def _check_familiarity(self) -> Self:
        if (self.familiarity is None) != (self.network.familiarity_rank == 0):
            raise ValueError("familiarity goes with network.familiarity_rank above 0, and only with it")
        return self

    @model_validator(mode="after")
    def _check_thresholds(self) -> Self:
        if self.thresholds is not None and set(self.thresholds) != set(self.taxonomy.names):
            raise ValueError("thresholds needs one for each emotion of the taxonomy, and no other")
        return self


@dataclass(frozen=True)
class Bundle:
    """A verified bundle."""

    path: Path
    manifest: BundleManifest

    @property
    def model_id(self) -> str:
        """Identity of the numbers this model gives."""
        return self.manifest.model_id

    @property
    def dim(self) -> int:
        """Size of the embedding."""
        return self.manifest.network.dim

    @property
    def thresholds(self) -> Probabilities | None:
        """Probability from which each emotion counts, in the taxonomy's order; None where a picture has exactly one."""
        given = self.manifest.thresholds
        return None if given is None else np.array([given[n] for n in self.manifest.taxonomy.names], dtype=np.float32)

    @property
    def onnx_path(self) -> Path:
        """Graph with input `pixels` and outputs `embedding`, `logits` and, with a rank above 0, `unfamiliarity`."""
        return self.path / ONNX_NAME

    @property
    def int8_path(self) -> Path | None:
        """The same graph in 8 bits, in OpenVINO's format; None where the bundle has none."""
        return None if self.manifest.int8 is None else self.path / INT8_NAMES[0]

    @property
    def int8_model_id(self) -> str:
        """Identity of the numbers that the int8 graph gives: one calibrated otherwise gives others.

        Raises BundleError where the bundle has none.
        """
        if self.manifest.int8 is None:
            raise BundleError(f"the bundle {self.path} has no int8 graph")
        digests = json.dumps(self.manifest.int8.files, sort_keys=True)
        return f"{self.model_id}-int8-{hashlib.sha256(digests.encode()).hexdigest()[:8]}"

    @property
    def weights_path(self) -> Path:
        """State dict of EmotionNet."""
        return self.path / WEIGHTS_NAME


def load_bundle(path: Path) -> Bundle:
    """Read and verify a bundle; raises BundleError when a file is missing, damaged or of another schema."""
    manifest = read_manifest(path)
    int8_files = {} if manifest.int8 is None else manifest.int8.files
    for name, expected in {**manifest.files, **int8_files}.items():
        file = path / Path(name).name
        if not file.is_file():
            raise BundleError(f"the bundle {path} lacks {name}; copy the whole folder again")
        if _read(file, file_sha256) != expected:
            raise BundleError(f"{file} differs from its recorded hash; copy the bundle again")
    return Bundle(path, manifest)


def write_bundle(path: Path, write_files: Callable[[Path], None], **fields: Any) -> Bundle:
    """Stage a bundle beside `path`, hash it, and rename it into place.

    Args:
        path: the bundle's folder; an existing bundle there is moved aside first and removed last.
        write_files: writes the weights and the graph into the folder it is given.
        **fields: the manifest's fields, except `model_id` and `files`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        write_files(staging)
        files = {name: file_sha256(staging / name) for name in (WEIGHTS_NAME, ONNX_NAME)}
        draft = BundleManifest(model_id="", files=files, **fields)
        content = draft.model_dump(mode="json")
        content["model_id"] = _model_id(content)
        _write_atomically(staging / MANIFEST_NAME, content)
        staging.chmod(0o755)
        _replace_folder(staging, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return load_bundle(path)


def with_manifest(bundle: Bundle, **changes: Any) -> Bundle:
    """Rewrite the parts of bundle.json that do not decide the numbers, such as metrics or terms."""
    if set(changes) & {*DECIDING, *DECIDING_IF_GIVEN, "model_id", "schema_version"}:
        raise BundleError("with_manifest cannot change what decides the numbers; write a new bundle")
    file = bundle.path / MANIFEST_NAME
    changed = bundle.manifest.model_copy(update=changes).model_dump(mode="json", include=set(changes))
    content = json.loads(file.read_bytes()) | changed
    for left_out in set(changes) - set(changed):
        content.pop(left_out, None)
    _write_atomically(file, content)
    return load_bundle(bundle.path)


def add_int8_graph(bundle: Bundle, write_files: Callable[[Path], None], **fields: Any) -> Bundle:
    """Put an int8 graph into a bundle, in the place of one that it has; interrupted on the way, it has none.

    Args:
        bundle: written anew on disk.
        write_files: writes INT8_NAMES into the folder it is given.
        **fields: those of Int8Graph, except `files`.
    """
    with tempfile.TemporaryDirectory(prefix=".int8-", dir=bundle.path) as folder:
        staging = Path(folder)
        write_files(staging)
        graph = Int8Graph(files={name: file_sha256(staging / name) for name in INT8_NAMES}, **fields)
        without = with_manifest(bundle, int8=None)
        for file in (staging / name for name in INT8_NAMES):
            file.chmod(0o644)
            file.replace(bundle.path / file.name)
    return with_manifest(without, int8=graph)


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_manifest(path: Path) -> BundleManifest:
    """Read bundle.json without a look at the files it names; raises BundleError where it is missing or not valid."""
    file = path / MANIFEST_NAME
    if not file.is_file():
        raise BundleError(f"no bundle at {path}: {MANIFEST_NAME} is missing; name a folder written by `training fit`")
    try:
        content = json.loads(_read(file, Path.read_bytes))
        version = content["schema_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BundleError(f"{file} is not a bundle manifest: {error!r}; copy the bundle again") from error
    if version != SCHEMA_VERSION:
        raise BundleError(f"{file} has schema {version}; this version reads schema {SCHEMA_VERSION}")
    try:
        manifest = BundleManifest.model_validate(content)
    except ValidationError as error:
        raise BundleError(f"{file} is not valid: {error}") from error
    if set(manifest.files) != {WEIGHTS_NAME, ONNX_NAME}:
        raise BundleError(f"{file} must list {WEIGHTS_NAME} and {ONNX_NAME}; it lists: {', '.join(manifest.files)}")
    if manifest.model_id != _model_id(content):
        raise BundleError(f"{file} was edited: its model_id does not fit its content")
    return manifest


def _read(file: Path, how: Callable[[Path], T]) -> T:
    try:
        return how(file)
    except OSError as error:
        raise BundleError(f"{file} cannot be read: {error.strerror or error}") from error


def _model_id(content: Mapping[str, Any]) -> str:
    """Hash of what the file says, not of what this version makes of it: a later default changes nothing."""
    deciding = {key: content.get(key) for key in DECIDING}
    deciding |= {key: content[key] for key in DECIDING_IF_GIVEN if content.get(key) is not None}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]


def _write_atomically(path: Path, content: Mapping[str, Any]) -> None:
    staged = path.with_name(f".{path.name}")
    staged.write_text(json.dumps(content, indent=1) + "\n")
    staged.replace(path)


def _replace_folder(staging: Path, path: Path) -> None:
    if not path.exists():
        staging.rename(path)
        return
    old = path.with_name(f".{path.name}-replaced")
    shutil.rmtree(old, ignore_errors=True)
    path.rename(old)
    staging.rename(path)
    shutil.rmtree(old)
