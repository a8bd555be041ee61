import json

import pytest
from typer.testing import CliRunner

from conftest import ROOT
from emotion.network.spec import ExtraBackbone
from training.__main__ import app
from training.networks import DOCUMENTED, as_table, describe


def test_the_page_holds_the_table_of_the_documented_networks() -> None:
    assert set(ExtraBackbone) <= set(DOCUMENTED)
    page = (ROOT / "docs" / "networks.md").read_text()
    assert as_table([describe(name) for name in DOCUMENTED]) in page, "run: python -m training networks"


def test_json_holds_taps_and_source_of_any_timm_network() -> None:
    result = CliRunner().invoke(app, ["networks", "test_resnet", "--json"])
    (row,) = json.loads(result.stdout)
    assert row["levels"][0] == {"name": "act1", "channels": 32, "stride": 2}
    assert row["n_features"] == 96
    assert row["ms_per_image"] is None
    assert row["weights"] == "model.safetensors of https://huggingface.co/timm/test_resnet.r160_in1k"


@pytest.mark.slow
def test_time_is_measured_in_the_cpu_services_runtime() -> None:
    facts = describe("test_efficientnet", timed=True)
    assert facts.ms_per_image is not None
    assert 0 < facts.ms_per_image < 1000
    assert "| ms/image |" in as_table([facts])
