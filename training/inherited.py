"""What a configuration takes over from the bundle that its training starts from; torch-free."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from emotion.bundle import BundleManifest, read_manifest
from emotion.errors import BundleError, ConfigError, TaxonomyError
from emotion.network.spec import EmbeddingKind, HeadInput, NetworkSpec
from emotion.preprocess import PreprocessSpec
from emotion.taxonomy import MIKELS, read_taxonomy

COLOURS: Final = ("mean", "std", "bgr")
"""Of the preprocessing: what the weights were made for, and no training at another size or crop makes up for."""
BUNDLE: Final = "bundle"
PROBE: Final = "probe"


def start_manifest(start: Path, model_id: str | None = None) -> BundleManifest:
    """The bundle.json of a bundle to start from; its weights are not read.

    Raises ConfigError where there is no bundle, or another one than `model_id`.
    """
    try:
        manifest = read_manifest(start.expanduser())
    except BundleError as error:
        raise ConfigError(f"network.start: {error}") from error
    if model_id not in (None, manifest.model_id):
        raise ConfigError(
            f"network.start: {start} is model {manifest.model_id}, while network.start_model_id is {model_id}; "
            "name the bundle that this training began with, or begin another"
        )
    return manifest


def inherit(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a tree of settings with a `network.start`: what is not set is as in that bundle.

    Not taken over: the label set, how the training goes, and the distance to the training pictures, which is fitted
    anew. The embedding and the class head start from the bundle where they fit, else from the probe. A tree that names
    all of this, as a written configuration does, is left as it is, and the bundle is not looked at.

    Raises ConfigError where the bundle is missing or a setting contradicts it.
    """
    network, preprocess = tree["network"], tree.get("preprocess", {})
    decided = {"start_model_id", "sv_init", "head_init", *_spec_fields()} <= network.keys()
    if decided and PreprocessSpec.model_fields.keys() <= preprocess.keys():
        return dict(tree)
    manifest = start_manifest(Path(network["start"]), network.get("start_model_id"))
    of_bundle = manifest.network.model_dump(mode="json", include=_spec_fields())
    merged = of_bundle | network | {"start_model_id": manifest.model_id}
    for name in ("sentiment_vector", "fc"):
        if isinstance(given := network.get(name), dict):
            merged[name] = of_bundle[name] | given
    seen = manifest.preprocess.model_dump(mode="json")
    _check_agreement(network, preprocess, of_bundle["backbone"], seen)
    faults = _faults(merged, tree, manifest)
    for key in ("sv_init", "head_init"):
        if network.get(key) == BUNDLE and key in faults:
            raise ConfigError(f"network.{key}=bundle: {faults[key]}; take network.{key}=probe")
        merged[key] = network.get(key, PROBE if key in faults else BUNDLE)
    return {**tree, "network": merged, "preprocess": seen | preprocess}


def _spec_fields() -> set[str]:
    return set(NetworkSpec.model_fields) - {"familiarity_rank"}


def _check_agreement(
    network: Mapping[str, Any], preprocess: Mapping[str, Any], backbone: str, seen: Mapping[str, Any]
) -> None:
    asked = network.get("backbone", backbone)
    if asked != backbone:
        raise ConfigError(f"network.backbone={asked}, while the bundle at network.start has {backbone}; leave it out")
    for key in COLOURS:
        given = preprocess.get(key, seen[key])
        given = list(given) if isinstance(given, list | tuple) else given
        if given != seen[key]:
            raise ConfigError(
                f"preprocess.{key}={given}, while the bundle at network.start has {seen[key]}; leave it out: its "
                "weights know no other colours"
            )


def _faults(network: Mapping[str, Any], tree: Mapping[str, Any], manifest: BundleManifest) -> dict[str, str]:
    """Why the embedding or the class head cannot be the bundle's; without an entry they can."""
    faults = {}
    try:
        spec = NetworkSpec.model_validate({key: network[key] for key in _spec_fields()})
    except ValidationError:
        return {}  # the fields' own checks name what is wrong
    if _embedding(spec) != _embedding(manifest.network):
        faults["sv_init"] = "network.embedding, or its section, is not as in the bundle at network.start"
    if (ours := _emotions(tree)) not in (None, manifest.taxonomy.names):
        faults["head_init"] = (
            f"the bundle at network.start knows {', '.join(manifest.taxonomy.names)}, data.taxonomy has "
            f"{', '.join(ours or ())}"
        )
    elif manifest.thresholds is not None:
        faults["head_init"] = "the class head at network.start names several emotions a picture"
    elif spec.head_input is not manifest.network.head_input:
        faults["head_init"] = f"the class head at network.start reads {manifest.network.head_input}"
    elif spec.head_input is not HeadInput.FEATURES and (
        "sv_init" in faults or network.get("sv_init", BUNDLE) != BUNDLE
    ):
        faults["head_init"] = "it reads an embedding that is not the bundle's"
    return faults


def _embedding(spec: NetworkSpec) -> Any:
    return spec.sentiment_vector if spec.embedding is EmbeddingKind.SENTIMENT_VECTOR else spec.fc


def _emotions(tree: Mapping[str, Any]) -> tuple[str, ...] | None:
    data = tree.get("data", {})
    name = data.get("taxonomy", MIKELS.name) if isinstance(data, dict) else data.taxonomy
    try:
        return read_taxonomy(name).names
    except TaxonomyError:
        return None  # told where the label set is read
