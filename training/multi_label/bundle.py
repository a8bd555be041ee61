"""The story of a multi-label bundle: features -> layers -> thresholds -> export -> judged through Predictor."""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Bool

from emotion.bundle import DEFAULT_TERMS, Bundle, Provenance, with_manifest
from emotion.console import progress
from emotion.network.net import EmotionNet
from emotion.network.spec import EmbeddingKind, FcEmbeddingSpec, HeadInput, NetworkSpec
from emotion.predictor import Predictor
from emotion.runtime import Device
from emotion.taxonomy import Taxonomy
from training.assess import open_judge
from training.data.multi_label import MultiLabelSample, label_matrix, load_or_make_parts, undersampled
from training.evaluation.multi_label import MultiLabelAnswers, best_thresholds, figures, nearest_jaccard
from training.export import export_bundle, library_versions
from training.multi_label.features import BATCH_SIZE, FrozenBackbone, cached_features
from training.multi_label.learn import Layers, Recipe, Said, apply, learn
from training.records import write_json
from training.run import pick_device

DECIMALS: Final = 6
"""Of a threshold."""
SETTING: Final = "multi-label test part"
"""Under which name the bundle carries its figures."""


def fit_multi_label(
    samples: Sequence[MultiLabelSample],
    taxonomy: Taxonomy,
    recipe: Recipe,
    backbone: FrozenBackbone,
    run: Path,
    *,
    data_name: str,
    device: Device = Device.AUTO,
) -> tuple[Bundle, dict[str, Any]]:
    """Learn from 70 % of the pictures, choose the thresholds on 20 %, judge on 10 %; writes `run`/bundle.

    Also writes `run`/split.json, `run`/features and `run`/metrics.json. Returns the bundle and its figures on the test
    part, measured through Predictor.
    """
    labels = label_matrix(samples, len(taxonomy.names))
    parts = load_or_make_parts(run / "split.json", samples)
    features = cached_features(backbone, samples, run / "features", pick_device(device))
    layers = learn(recipe, features[parts.train], training_labels(recipe, labels[parts.train]))
    thresholds = best_thresholds(apply(layers, features[parts.validation]).probs, labels[parts.validation])
    bundle = export_bundle(
        run / "bundle",
        assemble(backbone, layers, recipe.layers),
        backbone.preprocess.size_px,
        name="multi-label",
        taxonomy=taxonomy,
        preprocess=backbone.preprocess,
        thresholds=dict(zip(taxonomy.names, thresholds.round(DECIMALS).tolist(), strict=True)),
        provenance=_provenance(recipe, backbone, data_name, len(parts.train)),
        terms=DEFAULT_TERMS,
        # Those that chose the thresholds too: on them the bundle's answers flatter.
        training_hashes=tuple(sorted(samples[row].digest for row in (*parts.train, *parts.validation))),
    )
    measured = figures(_answers(open_judge(bundle, device), [samples[row] for row in parts.test], labels[parts.test]))
    bundle = with_manifest(bundle, metrics={SETTING: measured})
    metrics = {"model_id": bundle.model_id, "n_test_pictures": len(parts.test), "test": measured}
    write_json(run / "metrics.json", metrics)
    return bundle, metrics


def training_labels(recipe: Recipe, labels: Bool[np.ndarray, "n c"]) -> Bool[np.ndarray, "n c"]:
    """What the recipe learns from: all labels, or the frequent ones thinned out."""
    return undersampled(labels, np.random.default_rng(recipe.seed)) if recipe.undersample else labels


def assemble(backbone: FrozenBackbone, layers: Layers, spec: FcEmbeddingSpec) -> EmotionNet:
    """The whole network, ready to be exported."""
    network = NetworkSpec(
        backbone=backbone.name, embedding=EmbeddingKind.FC, fc=spec, head_input=HeadInput.EMBEDDING, dropout=0
    )
    net = EmotionNet(network, layers.head.out_features)
    parts = {"backbone": backbone.net, "fc": layers.fc, "head": layers.head}
    net.load_state_dict({f"{name}.{key}": t for name, part in parts.items() for key, t in part.state_dict().items()})
    return net.cpu().eval()


def _answers(
    predictor: Predictor, samples: Sequence[MultiLabelSample], labels: Bool[np.ndarray, "n c"]
) -> MultiLabelAnswers:
    said = []
    with progress("judging", len(samples), "pictures") as advance:
        for start in range(0, len(samples), BATCH_SIZE):
            batch = samples[start : start + BATCH_SIZE]
            said.append(predictor.predict([sample.path for sample in batch]))
            advance(len(batch))
    probs = np.concatenate([one.probabilities for one in said])
    embeddings = np.concatenate([one.embeddings for one in said])
    thresholds = np.asarray(predictor.thresholds, dtype=np.float64)
    return answers_of(Said(embeddings, probs), thresholds, labels)


def answers_of(said: Said, thresholds: np.ndarray, labels: Bool[np.ndarray, "n c"]) -> MultiLabelAnswers:
    """What is to be judged."""
    return MultiLabelAnswers(said.probs, thresholds, labels, nearest_jaccard(said.embeddings, labels))


def _provenance(recipe: Recipe, backbone: FrozenBackbone, data_name: str, n_pictures: int) -> Provenance:
    config = {"multi_label": recipe.model_dump(mode="json"), "backbone": backbone.name, "seed": recipe.seed}
    return Provenance(
        created=datetime.now(UTC),
        version=version("feelalike"),
        config=config,
        data=data_name,
        n_training_pictures=n_pictures,
        libraries=library_versions(),
    )
