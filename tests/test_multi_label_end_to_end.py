"""Several emotions a picture, from labelled pictures to the answers of the service, with a network small enough."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from emotion.bundle import Bundle, load_bundle
from emotion.network.backbone import build_backbone
from emotion.network.imagenet import default_preprocess
from emotion.network.spec import FcEmbeddingSpec, NetworkSpec
from emotion.openvino_runtime import OpenVinoRuntime
from emotion.predictor import Predictor
from emotion.taxonomy import Taxonomy
from emotion.torch_runtime import TorchRuntime
from fakes import encoded
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore
from service.app import create_app
from service.settings import ServiceSettings
from training.data.multi_label import label_matrix, read_multi_label
from training.evaluation.multi_label import FIGURES
from training.multi_label.bundle import SETTING, fit_multi_label
from training.multi_label.features import FrozenBackbone
from training.multi_label.learn import Recipe

NAME = "test_efficientnet"
COLOURS = Taxonomy.model_validate({"name": "colours", "emotions": ["red", "green", "blue"]})
N_PICTURES = 60
DIM = 256


def write_pictures(folder: Path) -> None:
    """Labelled by which channels are above the middle on average; a picture without is left out of the training."""
    from io import BytesIO

    from PIL import Image

    rows = ["path,labels"]
    folder.mkdir()
    for seed in range(N_PICTURES):
        data = encoded(seed)
        means = np.asarray(Image.open(BytesIO(data))).mean(axis=(0, 1))
        (folder / f"{seed}.png").write_bytes(data)
        rows.append(
            f"{seed}.png,{'|'.join(name for name, mean in zip(COLOURS.names, means, strict=True) if mean > 127)}"
        )
    (folder / "manifest.csv").write_text("\n".join(rows))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Path]:
    """A bundle and the pictures that it learnt from."""
    folder = tmp_path_factory.mktemp("several")
    write_pictures(folder / "pictures")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build_backbone(NetworkSpec(backbone=NAME)).eval()
    small = default_preprocess(NAME).model_copy(update={"size_px": 64})
    backbone = FrozenBackbone(NAME, net, small, "random weights")
    samples, _ = read_multi_label(folder / "pictures", COLOURS)
    recipe = Recipe(layers=FcEmbeddingSpec(dim=DIM, hidden=32), batch_size=16)
    run = folder / "run"
    bundle, metrics = fit_multi_label(samples, COLOURS, recipe, backbone, run, data_name="painted")
    assert metrics["model_id"] == bundle.model_id
    assert set(json.loads((run / "metrics.json").read_text())["test"]) == set(FIGURES)
    split = json.loads((run / "split.json").read_text())
    assert bundle.manifest.training_hashes == tuple(sorted(split["train"] + split["validation"]))
    assert label_matrix(samples, 3).any(axis=0).all()
    return bundle, folder / "pictures"


@pytest.fixture
def client(made: tuple[Bundle, Path], tmp_path: Path) -> Callable[[Predictor], TestClient]:
    """The service over an index of those pictures."""

    def start(predictor: Predictor) -> TestClient:
        bundle, pictures = made
        store = SnapshotStore(tmp_path / "store")
        rebuild(store, predictor, root=GalleryRoot(path=pictures))
        settings = ServiceSettings(bundle=bundle.path, store=tmp_path / "store", device="cpu")
        return TestClient(create_app(settings, predictor=predictor))

    return start


def test_the_bundle_says_what_it_is(made: tuple[Bundle, Path]) -> None:
    bundle = load_bundle(made[0].path)
    assert bundle.dim == DIM
    assert set(bundle.manifest.thresholds or ()) == set(COLOURS.names)
    assert set(bundle.manifest.metrics[SETTING]) == set(FIGURES)


def test_graph_and_torch_agree(made: tuple[Bundle, Path]) -> None:
    pictures = [encoded(seed) for seed in range(5)]
    one, two = (Predictor(made[0], runtime(made[0])).predict(pictures) for runtime in (OpenVinoRuntime, TorchRuntime))
    assert one.embeddings.shape == (5, DIM)
    assert np.abs(one.embeddings - two.embeddings).max() < 1e-4
    assert np.abs(one.probabilities - two.probabilities).max() < 1e-4


def test_classify_and_search_name_every_emotion_that_reaches_its_threshold(
    made: tuple[Bundle, Path], client: Callable[[Predictor], TestClient]
) -> None:
    bundle, pictures = made
    thresholds = bundle.manifest.thresholds or {}
    predictor = Predictor(bundle, OpenVinoRuntime(bundle, n_threads=1))
    with client(predictor) as service:
        for seed in range(8):
            picture = (pictures / f"{seed}.png").read_bytes()
            answer = service.post("/classify", content=picture).json()
            probabilities = answer["probabilities"]
            ranked = sorted(probabilities, key=lambda name: -probabilities[name])
            expected = [name for name in ranked if probabilities[name] >= thresholds[name]] or ranked[:1]
            assert answer["emotions"] == expected
            assert answer["emotion"] == expected[0]
            assert answer["confidence"] == probabilities[expected[0]]
        found = service.post("/search?k=3", content=picture).json()
        assert found["query"]["emotions"] == expected
        assert found["results"][0]["distance"] == pytest.approx(0, abs=1e-3)
        assert found["results"][0]["emotions"] == expected
        assert all(result["emotions"] for result in found["results"])
        near = service.get(found["results"][0]["url"] + "/neighbours?k=2").json()
        assert near["picture"]["emotions"] == expected
        facts = service.get("/info").json()["model"]
        assert facts["embedding_dim"] == DIM
        assert facts["thresholds"] == thresholds
