"""One picture, three ways in: training's evaluation, the index build, the service. They must agree."""

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from demo.paint import encode_picture
from emotion.predictor import Predictor
from emotion.runtime import Device
from emotion.taxonomy import MIKELS
from emotion.torch_runtime import TorchRuntime
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore
from service.app import create_app
from service.settings import ServiceSettings
from training.data.dataset import PictureDataset
from training.data.samples import read_samples
from training.evaluation.evaluate import score

TOLERANCE = 1e-3


def test_training_index_and_service_give_one_picture_the_same_numbers(tmp_path: Path, shipped_bundle: Path) -> None:
    for number, emotion in enumerate(MIKELS.names):
        folder = tmp_path / "gallery" / emotion
        folder.mkdir(parents=True)
        (folder / "0.jpg").write_bytes(encode_picture(emotion, number, 7))
    predictor = Predictor.open(shipped_bundle, Device.CPU)
    samples = read_samples(tmp_path / "gallery", MIKELS).samples

    scored = score(predictor, samples)
    with_torch = score(Predictor(predictor.bundle, TorchRuntime(predictor.bundle)), samples)
    assert with_torch.embeddings == pytest.approx(scored.embeddings, abs=TOLERANCE)
    assert np.array_equal(with_torch.probs.argmax(axis=1), scored.probs.argmax(axis=1))

    pixels = PictureDataset(scored.samples, predictor.bundle.manifest.preprocess)[0][0].numpy()
    assert predictor.infer(pixels[None]).embeddings[0] == pytest.approx(scored.embeddings[0], abs=TOLERANCE)

    store = SnapshotStore(tmp_path / "store")
    rebuild(store, predictor, root=GalleryRoot(path=tmp_path / "gallery"))
    snapshot = store.load()
    settings = ServiceSettings(bundle=shipped_bundle, store=store.root, device=Device.CPU)
    with TestClient(create_app(settings)) as client:
        for row, sample in enumerate(scored.samples):
            item_id = sample.digest[:32]
            assert snapshot.vectors[snapshot.row_of(item_id)] == pytest.approx(scored.embeddings[row], abs=TOLERANCE)
            answer = client.post("/search?k=1", files={"file": sample.path.read_bytes()}).json()
            assert answer["results"][0]["id"] == item_id
            assert answer["results"][0]["distance"] == pytest.approx(0, abs=TOLERANCE)
            assert answer["query"]["emotion"] == MIKELS.names[scored.probs[row].argmax()]
            assert answer["query"]["confidence"] == pytest.approx(scored.probs[row].max(), abs=TOLERANCE)
