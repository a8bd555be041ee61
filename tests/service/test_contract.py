"""The committed OpenAPI document is the app's, and the app keeps to it whatever it is asked (schemathesis)."""

import contextlib
import json
import subprocess
import sys
import threading

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from conftest import ROOT, load_script
from service.app import create_app
from service_process import SERVE_WITH_FAKES, address_of, launch

TOKEN = "a token for tests"
SEED = 20261122


def test_the_committed_document_is_the_apps() -> None:
    written = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert written == load_script("docs/openapi.py").openapi_document(), "run: python docs/openapi.py"


def check_operation(operation, mode, item_id, headers, excluded, n_examples: int) -> None:
    """Ask what fits the operation's description, or what does not; half of the ids are one that there is."""

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=n_examples,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), is_there=st.booleans())
    def ask(case, is_there):
        if is_there and "id" in case.path_parameters and case.method != "DELETE":
            case.path_parameters["id"] = item_id
        answer = case.call_and_validate(headers=dict(headers), excluded_checks=excluded)
        assert answer.status_code != 500

    with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # nothing can be wrong with a request without parameters
        ask()


def check_contract(app, item_id, headers, excluded, n_examples: int) -> None:
    """Ask every operation; the document itself is asked for by whoever may read it."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Authorization": f"Bearer {TOKEN}"})
    operations = [found.ok() for found in schema.get_all_operations()]
    documented = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"].values()
    assert len(operations) == sum(map(len, documented))
    # Which moods there are, and which bytes are a picture, the document cannot say.
    excluded = [positive_data_acceptance, *excluded]
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            check_operation(operation, mode, item_id, headers, excluded, n_examples)


MANY = pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])


@pytest.mark.parametrize("n_examples", [1, MANY])
def test_every_answer_is_as_the_document_says(store, settings, predictor, python, auth, n_examples):
    app = create_app(settings(), predictor=predictor, rebuild_command=python("raise SystemExit(1)"))
    check_contract(app, store.load().ids[0], auth, [], n_examples)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"read_token": "another"}, {"rate_limit_per_s": 0.01, "rate_limit_burst": 9}])
def test_refusals_are_too(empty_store, settings, predictor, changes):
    """Without an index, without a token, above the limit."""
    app = create_app(settings(**changes), predictor=predictor)
    check_contract(app, "0" * 32, {}, [not_a_server_error], 10)


@pytest.mark.slow
def test_every_boundary_is_as_the_document_says_too(store, predictor):
    """Schemathesis' own run of examples, boundaries and methods that are not there, against a process under a path."""
    script = SERVE_WITH_FAKES.format(root=str(ROOT), tests=str(ROOT / "tests"))
    places = ["--bundle", str(predictor.bundle.path), "--store", str(store.root), "--port", "0"]
    command = [sys.executable, "-c", script, *places, "--root-path", "/feel"]
    process = launch(command, FEELALIKE_ADMIN_TOKEN=TOKEN)
    reading = threading.Thread(target=lambda: list(process.stderr))  # a full pipe would stop it
    try:
        url = f"{address_of(process)}/feel/openapi.json"
        reading.start()
        options = ["--phases", "examples,coverage", "--exclude-checks", "positive_data_acceptance"]
        header = ["--header", f"Authorization: Bearer {TOKEN}", "--seed", str(SEED), "--no-color"]
        run = [sys.executable, "-m", "schemathesis.cli", "run", url, *options, *header]
        done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=store.root)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    finally:
        process.kill()
        process.wait()
        reading.join()
        process.stderr.close()
