from pathlib import Path

from training.config import TrainingConfig
from training.config_file import load_config
from training.experiments.frozen import FrozenFeatures
from training.experiments.trained import TrainedMethod


def _config(weights: Path) -> TrainingConfig:
    return load_config("default", ["network.backbone=resnet18", f"network.weights={weights}"])


def test_weights_count_by_their_content(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one.pth", "same.pth", "other.pth"))
    for path, content in ((one, b"a"), (same, b"a"), (other, b"b")):
        path.write_bytes(content)
    for method in (TrainedMethod, FrozenFeatures):
        first, second, third = (method(_config(path)).settings for path in (one, same, other))
        assert first == second
        assert first != third


def test_a_missing_file_is_left_to_the_row(tmp_path: Path) -> None:
    assert FrozenFeatures(_config(tmp_path / "none.pth")).settings["weights"] == str(tmp_path / "none.pth")
