"""deploy/kubernetes: valid by the schemas of Kubernetes, whole, and hardened as docs/how-to/kubernetes.md says."""

from typing import Any

import kubernetes_validate
import pytest
import yaml

from conftest import ROOT
from service.settings import ServiceSettings, variable

FOLDER = ROOT / "deploy" / "kubernetes"
VERSION = "1.33"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())


def objects(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


OBJECTS = [(name, it) for name in (*KUSTOMIZATION["resources"], "secret.example.yaml") for it in objects(name)]


@pytest.fixture
def pod() -> dict[str, Any]:
    (deployment,) = objects("deployment.yaml")
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize(("name", "it"), OBJECTS, ids=[f"{name}-{it['kind']}" for name, it in OBJECTS])
def test_it_is_valid(name: str, it: dict[str, Any]) -> None:
    kubernetes_validate.validate(it, VERSION, strict=True)


@pytest.mark.parametrize(
    ("right", "typo"),
    [("readinessProbe:", "readynessProbe:"), ("replicas: 1", "replicas: one"), ("mountPath: /data", "path: /data")],
)
def test_a_typo_would_be_found(right: str, typo: str) -> None:
    broken = yaml.safe_load((FOLDER / "deployment.yaml").read_text().replace(right, typo, 1))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSION, strict=True)


def test_every_file_is_applied_but_the_example_of_a_secret() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml", "secret.example.yaml"}
    assert files == set(KUSTOMIZATION["resources"])


def test_every_variable_is_a_setting(pod: dict[str, Any]) -> None:
    known = {variable(name) for name in ServiceSettings.model_fields}
    assert {given["name"] for given in pod["containers"][0]["env"]} <= known


def test_what_is_mounted_is_there(pod: dict[str, Any]) -> None:
    claims = {it["metadata"]["name"] for it in objects("volumes.yaml")}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == set(volumes)
    assert {volumes[name]["persistentVolumeClaim"]["claimName"] for name in ("data", "gallery")} == claims


def test_the_tokens_are_those_of_the_secret(pod: dict[str, Any]) -> None:
    (secret,) = objects("secret.example.yaml")
    env = {given["name"]: given.get("value") for given in pod["containers"][0]["env"]}
    files = {env["FEELALIKE_ADMIN_TOKEN_FILE"], env["FEELALIKE_READ_TOKEN_FILE"]}
    assert files == {f"/run/secrets/feelalike/{key}" for key in secret["stringData"]}
    assert pod["volumes"][2]["secret"]["secretName"] == secret["metadata"]["name"]


def test_one_writer_without_rights(pod: dict[str, Any]) -> None:
    (deployment,) = objects("deployment.yaml")
    container = pod["containers"][0]
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]["type"]) == (1, "Recreate")
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["securityContext"]["runAsNonRoot"]
    assert {"cpu", "memory"} <= set(container["resources"]["limits"])


def test_the_probes_ask_what_needs_no_token(pod: dict[str, Any]) -> None:
    container = pod["containers"][0]
    paths = [container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")]
    assert paths == ["/livez", "/livez", "/readyz"]
