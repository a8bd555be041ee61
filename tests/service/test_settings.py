import pytest

from emotion.errors import ConfigError
from emotion.runtime import Device
from service.settings import ServiceSettings, read_settings


@pytest.fixture
def places(monkeypatch, tmp_path):
    monkeypatch.delenv("FEELALIKE_ADMIN_TOKEN", raising=False)
    monkeypatch.setenv("FEELALIKE_BUNDLE", str(tmp_path / "from-variable"))
    monkeypatch.setenv("FEELALIKE_STORE", str(tmp_path / "store"))
    return tmp_path


def test_flags_win_over_variables(places):
    assert read_settings({}).bundle == places / "from-variable"
    assert read_settings({"bundle": places / "flag", "port": None}).bundle == places / "flag"


def test_every_setting_is_described():
    for name, field in ServiceSettings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("FEELALIKE_MAX_K", "0", "FEELALIKE_MAX_K"),
        ("FEELALIKE_MAX_K", "many", "FEELALIKE_MAX_K"),
        ("FEELALIKE_DEVICE", "tpu", "FEELALIKE_DEVICE"),
        ("FEELALIKE_DEFAULT_K", "101", "above max_k"),
        ("FEELALIKE_MAX_UPLOAD_BYTE", "5", "did you mean FEELALIKE_MAX_UPLOAD_BYTES"),
    ],
)
def test_a_bad_variable_is_named(places, monkeypatch, variable, value, message):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=message) as caught:
        read_settings({})
    assert "\n" not in str(caught.value)


def test_variables_of_others_are_let_be(places, monkeypatch):
    monkeypatch.setenv("FEELALIKE_TEST_DATA", "/data")
    read_settings({})


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.delenv("FEELALIKE_BUNDLE", raising=False)
    monkeypatch.delenv("FEELALIKE_STORE", raising=False)
    with pytest.raises(ConfigError, match=r"--bundle is missing.*--store is missing"):
        read_settings({})


def test_the_token_is_never_shown(places, monkeypatch):
    monkeypatch.setenv("FEELALIKE_ADMIN_TOKEN", "hidden")
    assert "hidden" not in repr(read_settings({}))
    assert "hidden" not in read_settings({}).model_dump_json()


@pytest.mark.parametrize(("given", "on_cpu", "on_gpu"), [(None, 4, 8), (1, 1, 1), (16, 16, 16)])
def test_batches_are_as_large_as_pays_where_the_model_runs(places, given, on_cpu, on_gpu):
    settings = read_settings({"max_batch": given})
    assert (settings.batch_limit(Device.CPU), settings.batch_limit(Device.CUDA)) == (on_cpu, on_gpu)
