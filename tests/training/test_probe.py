"""The probe, and what starts from it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emotion.network.net import EmotionNet
from emotion.network.spec import HeadInput, LevelNorm, NetworkSpec, SentimentVectorSpec
from emotion.preprocess import PreprocessSpec
from emotion.taxonomy import MIKELS
from fakes import write_gallery
from training.data.samples import Sample, read_samples
from training.data.views import FixedViews, View, fixed_views
from training.probe import fit_probe, init_head, init_sentiment_vector

CPU = torch.device("cpu")
BASE = PreprocessSpec(size_px=32)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    write_gallery(tmp_path, 16, ("awe", "contentment", "fear", "sadness"))
    return read_samples(tmp_path, MIKELS).samples


def _net(**spec: object) -> EmotionNet:
    torch.manual_seed(0)
    return EmotionNet(NetworkSpec.model_validate({"backbone": "test_efficientnet", **spec}), 8)


@torch.no_grad()
def _outputs(net: EmotionNet, samples: list[Sample]) -> tuple[np.ndarray, np.ndarray]:
    pixels = torch.stack([views[0] for views, _ in FixedViews(samples, [View(BASE)])])
    outputs = net.eval()(pixels)
    return outputs.embedding.numpy(), outputs.logits.numpy()


def test_views_that_are_all_the_same_fit_the_same_probe(samples: list[Sample]) -> None:
    """So several views regularise as much as one."""
    net = _net()
    one, three = (fit_probe(net, FixedViews(samples, [View(BASE)] * n), CPU) for n in (1, 3))
    assert three.weight == pytest.approx(one.weight, rel=1e-3, abs=1e-4 * np.abs(one.weight).max())
    assert three.present.tolist() == one.present.tolist()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_workers_prepare_the_pictures_and_change_nothing(samples: list[Sample]) -> None:
    data, net = FixedViews(samples, fixed_views(BASE, 3)), _net()
    alone, helped = (fit_probe(net, data, CPU, n_workers=n) for n in (0, 2))
    assert np.array_equal(alone.weight, helped.weight)
    assert np.array_equal(alone.bias, helped.bias)


def test_other_views_fit_another_probe(samples: list[Sample]) -> None:
    net = _net()
    one, five = (fit_probe(net, FixedViews(samples, fixed_views(BASE, n)), CPU) for n in (1, 5))
    assert np.abs(five.weight - one.weight).max() > 0.01 * np.abs(one.weight).max()


def test_a_head_that_reads_both_starts_with_the_features_alone(samples: list[Sample]) -> None:
    features, both = _net(), _net(head_input=HeadInput.BOTH)
    both.load_state_dict({k: v for k, v in features.state_dict().items() if k != "head.weight"}, strict=False)
    probe = fit_probe(features, FixedViews(samples, [View(BASE)]), CPU)
    init_head(features, probe)
    init_head(both, probe)
    assert _outputs(both, samples)[1] == pytest.approx(_outputs(features, samples)[1], abs=1e-4)


def test_a_head_that_reads_the_sentiment_vector_starts_from_a_probe_of_it(samples: list[Sample]) -> None:
    net, data = _net(head_input=HeadInput.EMBEDDING), FixedViews(samples, [View(BASE)])
    init_sentiment_vector(net, fit_probe(net, data, CPU), MIKELS, 1.5)
    probe = fit_probe(net, data, CPU, HeadInput.EMBEDDING)
    assert probe.weight.shape == (8, 680)
    init_head(net, probe)
    embeddings, logits = _outputs(net, samples)
    assert logits == pytest.approx(embeddings * 680**0.5 @ probe.weight.T + probe.bias, abs=1e-3)
    labels = np.array([sample.label for sample in samples])
    assert (logits.argmax(axis=1) == labels).mean() > 0.5
    assert np.abs(probe.weight).max() < 100, "entries that hardly vary must not get large weights"


@pytest.mark.parametrize("norm", list(LevelNorm))
def test_at_the_start_distances_come_from_the_deepest_level(samples: list[Sample], norm: LevelNorm) -> None:
    net = _net(sentiment_vector=SentimentVectorSpec(norm=norm))
    init_sentiment_vector(net, fit_probe(net, FixedViews(samples, [View(BASE)]), CPU), MIKELS, 1.5)
    embeddings = _outputs(net, samples)[0]
    spread = embeddings.reshape(len(embeddings), 5, 136).var(axis=0).sum(axis=1)
    assert spread[-1] > 0.9 * spread.sum()
