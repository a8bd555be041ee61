"""docker-compose.yml: valid by the Compose specification, and hardened as docs/deployment.md says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT
from service.settings import ServiceSettings, variable

FILE = ROOT / "docker-compose.yml"
SERVICES = ("gpu", "cpu", "train")
GUIDE = (ROOT / "docs" / "deployment.md").read_text()
BUNDLE = "/app/models/mikels-lite0"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def violations(file: Path) -> str:
    """What the specification's schema has against a file; empty if nothing."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_it_is_valid() -> None:
    assert violations(FILE) == ""


@pytest.mark.parametrize(
    ("right", "typo"),
    [
        ("  read_only: true", "  readonly: true"),
        ("    image: feelalike:gpu", "    imagine: feelalike:gpu"),
        ("          capabilities: [gpu]", "          capability: [gpu]"),
        ("  cap_drop: [ALL]", "  cap_drop: ALL"),
    ],
)
def test_a_typo_would_be_found(tmp_path: Path, right: str, typo: str) -> None:
    text = FILE.read_text()
    assert right in text
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(text.replace(right, typo, 1))
    assert violations(broken)


def test_docker_reads_it() -> None:
    if shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"], check=False).returncode:
        pytest.skip("docker compose is not installed")
    command = ["docker", "compose", "--profile", "*", "--file", str(FILE), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_plain_up_starts_the_gpu_service_alone(compose: dict[str, Any]) -> None:
    profiles = {name: service.get("profiles") for name, service in compose["services"].items()}
    assert profiles == {"gpu": None, "cpu": ["cpu"], "train": ["train"]}


@pytest.mark.parametrize("name", SERVICES)
def test_it_has_no_more_rights_than_it_needs(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["user"] == "1000:1000"
    assert service["read_only"] is True
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]  # noqa: S108 - the container's
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_it_builds_a_target_that_the_dockerfile_has(compose: dict[str, Any], stages: Any, name: str) -> None:
    assert compose["services"][name]["build"] == {"context": ".", "target": name}
    assert name in stages
    facts = dict(stages[name].steps)
    assert facts["USER"] == "1000"


@pytest.mark.parametrize(("name", "reserved"), [("gpu", True), ("train", True), ("cpu", False)])
def test_it_reserves_a_gpu_where_it_needs_one(compose: dict[str, Any], name: str, reserved: bool) -> None:
    deploy = compose["services"][name].get("deploy", {})
    devices = deploy.get("resources", {}).get("reservations", {}).get("devices", [])
    assert devices == ([{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}] if reserved else [])


@pytest.mark.parametrize("name", SERVICES)
def test_only_what_is_written_can_be_written(compose: dict[str, Any], name: str) -> None:
    mounts = [volume.rsplit("}", 1)[1] for volume in compose["services"][name]["volumes"]]
    trains = name == "train"
    expected = [":/gallery:ro", ":/models" if trains else ":/models:ro", ":/data"]
    assert sorted(mounts) == sorted([*expected, ":/photos:ro"] if trains else expected)
    defaults = {re.search(r":-(\w+)}", volume)[1] for volume in compose["services"][name]["volumes"]}  # type: ignore[index]
    assert defaults <= set(compose["volumes"])


@pytest.mark.parametrize("name", ["gpu", "cpu"])
def test_a_service_is_published_and_restarted(compose: dict[str, Any], stages: Any, name: str) -> None:
    service = compose["services"][name]
    assert service["ports"] == ["${PORT:-8000}:8000"]
    assert ("EXPOSE", "8000") in stages["base"].steps
    assert service["restart"] == "unless-stopped"
    default = ServiceSettings.model_fields["shutdown_grace_s"].default
    assert int(service["stop_grace_period"].removesuffix("s")) > default


def test_training_runs_once_with_flags_that_exist(compose: dict[str, Any]) -> None:
    service = compose["services"]["train"]
    assert service["restart"] == "no"
    module, command, *flags = service["command"]
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    arguments = [sys.executable, "-m", module, command, "--help"]
    text = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout
    for flag in (word for word in flags if word.startswith("--")):
        assert re.search(rf"{flag}\b", text), flag
    folders = {word.split("/")[1] for word in flags if word.startswith("/")}
    assert folders == {"photos", "models", "gallery", "data"}


def test_the_shipped_bundle_is_the_default(compose: dict[str, Any]) -> None:
    assert compose["services"]["gpu"]["environment"]["FEELALIKE_BUNDLE"] == f"${{FEELALIKE_BUNDLE:-{BUNDLE}}}"
    assert f"FEELALIKE_BUNDLE={BUNDLE}" in (ROOT / "Dockerfile").read_text()
    assert (ROOT / BUNDLE.removeprefix("/app/") / "bundle.json").is_file()


@pytest.mark.parametrize("file", ["Dockerfile", "docker-compose.yml", "deploy/start.py"])
def test_every_variable_is_a_setting_or_documented(file: str) -> None:
    settings = {variable(name) for name in ServiceSettings.model_fields}
    named = set(re.findall(r"FEELALIKE_[A-Z_]+", (ROOT / file).read_text()))
    assert named
    undocumented = {name for name in named - settings if f"| `{name}`" not in GUIDE}
    assert not undocumented


def test_every_name_that_compose_fills_in_is_documented() -> None:
    named = set(re.findall(r"\$\{(\w+)", FILE.read_text()))
    assert {name for name in named if f"| `{name}`" not in GUIDE} == set()


def test_only_what_the_dockerfile_copies_enters_the_build(stages: Any) -> None:
    allowed = {line[1:].split("/")[0] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        source.split("/")[0]
        for stage in stages.values()
        for instruction, value in stage.steps
        if instruction == "COPY" and not value.startswith("--from")
        for source in value.split()[:-1]
    }
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    assert allowed == copied | {"Dockerfile"}
