"""The example of docs/embeddings.md, which needs nothing of this project, gives the same numbers."""

import importlib.util

import numpy as np
import pytest

from conftest import ROOT
from demo.paint import paint_gallery
from emotion.predictor import Predictor
from fakes import picture


@pytest.fixture
def embed():
    """The example's function."""
    spec = importlib.util.spec_from_file_location("onnx_embedding", ROOT / "examples" / "onnx_embedding.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.embed


def test_the_example_without_this_project_gives_the_services_numbers(embed, shipped_bundle, tmp_path):
    paint_gallery(tmp_path, 1)
    (painted,) = tmp_path.glob("*/*.jpg")
    large = tmp_path / "large.jpg"  # decoded reduced
    picture(3, (1500, 1100)).save(large, quality=90)
    predictor = Predictor.open(shipped_bundle)
    for file in (painted, large):
        np.testing.assert_allclose(embed(shipped_bundle, file), predictor.predict([file]).embeddings[0], atol=1e-5)
