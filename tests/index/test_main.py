import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fakes import encoded, tiny_predictor
from index.__main__ import app
from index.store import SnapshotStore

ROOT = Path(__file__).parents[2]


@pytest.fixture
def invoke(tmp_path, predictor):
    """Runs the command line in this process, with the fake model in place of OpenVINO."""

    def run(*arguments: object, embedder=predictor):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], obj=lambda _bundle, _device: embedder)

    return run


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "index", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def json_lines(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def test_build_then_rebuild(invoke, store, gallery):
    (gallery / "awe/broken.jpg").write_text("no picture")
    first = invoke("build", "--bundle", "b", "--gallery", gallery, "--store", store.root)
    assert first.exit_code == 0, first.output
    assert "6 embedded" in first.output
    assert "pictures/s" in first.output
    assert "broken.jpg is not a JPEG, PNG or WebP picture" in first.output
    assert f"next: python -m service --bundle b --store {store.root}" in first.output
    again = invoke("build", "--bundle", "b", "--store", store.root)
    assert "0 embedded, 6 reused" in again.output


def test_the_kind_of_index_is_an_option_and_remembered(invoke, store, gallery):
    options = ("--index", "ivf", "--recall", 0.95)
    first = invoke("build", "--bundle", "b", "--gallery", gallery, "--store", store.root, *options)
    assert "index: ivf (asked for)" in first.output
    assert "index: ivf (asked for)" in invoke("build", "--bundle", "b", "--store", store.root).output
    facts = json.loads(invoke("info", "--store", store.root, "--json").stdout)
    assert facts["kind"] == "ivf"
    parameters = {"n_lists": 1, "n_probe": 1, "candidates_per_hit": 2, "target_recall": 0.95, "n_queries": 6}
    assert facts["ivf"] == parameters
    readable = invoke("info", "--store", store.root).stdout
    assert "1 n_lists, 1 n_probe, 2 candidates_per_hit, 0.95 target_recall, 6 n_queries" in readable


@pytest.mark.parametrize("wrong", [("--index", "hnsw"), ("--recall", "1.1"), ("--recall", "0.1")])
def test_an_impossible_index_is_refused(invoke, store, gallery, wrong):
    result = invoke("build", "--bundle", "b", "--gallery", gallery, "--store", store.root, *wrong)
    assert result.exit_code == 2
    assert store.versions() == []


def test_json_progress(invoke, store, gallery):
    (gallery / "awe/broken.jpg").write_text("no picture")
    result = invoke("build", "--bundle", "b", "--gallery", gallery, "--store", store.root, "--json-progress")
    *events, last = json_lines(result.stdout)
    assert {"state": "running", "stage": "embed", "done": 7, "total": 7} in events
    assert last["state"] == "succeeded"
    assert last["version"] == store.current_version()
    assert last["counts"] == {"embedded": 6, "reused": 0, "duplicates": 0, "skipped": 1}
    assert last["skipped"][0]["path"].endswith("broken.jpg")


def test_json_failure(invoke, store, tmp_path):
    result = invoke("build", "--bundle", "b", "--gallery", tmp_path / "typo", "--store", store.root, "--json-progress")
    assert result.exit_code == 1
    (line,) = json_lines(result.stdout)
    assert line["state"] == "failed"
    assert "typo is neither a folder nor a manifest" in line["error"]


class Failing:
    """A predictor whose device is lost."""

    def __init__(self, predictor) -> None:
        self._predictor = predictor

    def __getattr__(self, name):
        return getattr(self._predictor, name)

    def infer(self, pixels):
        raise RuntimeError("device lost")


def test_programs_are_told_of_unforeseen_failures_too(invoke, store, gallery, predictor):
    arguments = ("build", "--bundle", "b", "--gallery", gallery, "--store", store.root, "--json-progress")
    result = invoke(*arguments, embedder=Failing(predictor))
    assert result.exit_code == 1
    assert json_lines(result.stdout)[-1] == {"state": "failed", "error": "RuntimeError: device lost"}


class Stopping:
    """A predictor that is told to stop after its first batch."""

    def __init__(self, predictor, reason: signal.Signals) -> None:
        self._predictor, self._reason = predictor, reason

    def __getattr__(self, name):
        return getattr(self._predictor, name)

    def infer(self, pixels):
        signal.raise_signal(self._reason)
        return self._predictor.infer(pixels)


@pytest.mark.parametrize("reason", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("flags", [[], ["--json-progress"]], ids=["people", "programs"])
def test_a_stopped_build_leaves_the_live_snapshot(invoke, built, gallery, predictor, reason, flags):
    before = built.current_version()
    (gallery / "awe/new.png").write_bytes(encoded(100))
    handler = signal.getsignal(signal.SIGTERM)
    result = invoke("build", "--bundle", "b", "--store", built.root, *flags, embedder=Stopping(predictor, reason))
    assert result.exit_code == 130
    if flags:
        assert json_lines(result.stdout)[-1] == {"state": "cancelled"}
    else:
        assert "interrupted; run the same command again" in result.output
    assert built.current_version() == before
    assert signal.getsignal(signal.SIGTERM) is handler
    with built.writer_lock():
        pass


def test_info(invoke, built, gallery):
    facts = json.loads(invoke("info", "--store", built.root, "--json").stdout)
    assert facts["version"] == built.current_version()
    assert facts["gallery"] == [str(gallery)]
    assert (facts["count"], facts["dim"], facts["recall"], facts["kind"]) == (6, 8, 1.0, "flat")
    assert facts["map"].startswith("principal components of 6 pictures, keeps ")
    readable = invoke("info", "--store", built.root).stdout
    assert "6 embedded, 0 reused" in readable
    assert "reason     an exact query reads 0 MiB, fast up to 16 MiB" in readable
    assert "ivf " not in readable
    assert "amusement, anger" in readable


def test_a_store_typed_relatively_remembers_a_portable_gallery(invoke, tmp_path, gallery, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("build", "--bundle", "b", "--gallery", "gallery", "--store", "store").exit_code == 0
    assert SnapshotStore(tmp_path / "store").config().roots[0].path == Path("../gallery")


@pytest.mark.parametrize("name", ["build", "info", "verify", "add", "remove", "compact", "rollback"])
def test_help_has_an_example(invoke, name):
    assert f"python -m index {name}" in " ".join(invoke(name, "--help").output.split())


def test_verify_as_a_process(built):
    assert "is whole: 6 pictures" in command("verify", "--store", built.root).stderr
    file = built.snapshots / built.current_version() / "index.faiss"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    result = command("verify", "--store", built.root)
    assert result.returncode == 1
    assert "index.faiss differs from its recorded hash" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["build", "--bundle", "nowhere", "--gallery", "g", "--store", "{}"], 1, "no bundle at nowhere"),
        (["build", "--bundle", "b", "--label-column", "mood", "--store", "{}"], 2, "name it with --gallery"),
        (["info", "--store", "{}"], 1, "holds no index yet"),
    ],
)
def test_errors_are_one_line(arguments, code, text, tmp_path):
    result = command(*(argument.format(tmp_path / "store") for argument in arguments))
    assert result.returncode == code
    assert result.stderr.startswith("error: ")
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_every_report_is_one_json_document(invoke, built, tmp_path):
    (tmp_path / "x.png").write_bytes(encoded(50))
    places = ("--store", built.root, "--json")
    first = built.current_version()
    added = json.loads(invoke("add", tmp_path / "x.png", "--bundle", "b", *places).stdout)
    assert (added["added"], added["refused"]) == (1, 0)
    folded = json.loads(invoke("compact", *places).stdout)
    assert (folded["count"], folded["added"], folded["published"]) == (7, 1, True)
    assert json.loads(invoke("compact", *places).stdout)["published"] is False
    removed = invoke("remove", added["pictures"][0]["id"], "unknown", *places)
    assert json.loads(removed.stdout) == {"removed": [added["pictures"][0]["id"]], "unknown": ["unknown"]}
    assert removed.exit_code == 1
    assert json.loads(invoke("verify", *places).stdout)["whole"] is True
    assert json.loads(invoke("rollback", *places).stdout)["version"] == first
    built_again = json.loads(invoke("build", "--bundle", "b", *places).stdout)
    assert (built_again["state"], built_again["version"]) == ("succeeded", built.current_version())


def test_without_faiss_a_command_says_what_to_install():
    script = "import sys; sys.modules['faiss'] = None; from index.__main__ import app, run; run(app)"
    arguments = [sys.executable, "-W", "error", "-c", script, "info", "--store", "x"]
    result = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "pip install 'feelalike[cpu]'" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_index_needs_no_torch():
    script = "import sys; sys.modules['torch'] = None; import index.__main__; assert 'openvino' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, check=True)


def test_add_remove_compact_and_rollback(invoke, built, tmp_path):
    new, places = tmp_path / "new", ("--bundle", "b", "--store", built.root)
    new.mkdir()
    for seed in (50, 51):
        (new / f"{seed}.png").write_bytes(encoded(seed))
    (new / "broken.jpg").write_text("no picture")
    added = invoke("add", new, *places, "--label", "awe", "--metadata", "by=me")
    assert added.exit_code == 1, "one was refused"
    assert "2 added, 0 there already, 1 refused" in added.output
    assert "broken.jpg is not a JPEG, PNG or WebP picture" in added.output
    item_id = added.stdout.split()[0]
    entry = built.catalog.get(item_id)
    assert (entry.label, entry.metadata) == ("awe", {"by": "me"})
    assert json.loads(invoke("info", "--store", built.root, "--json").stdout)["added"] == 2
    again = invoke("add", new / "50.png", *places, "--external-id", "x")
    assert (again.exit_code, "is there already" in again.stdout) == (0, True)
    gone = invoke("remove", item_id, "unknown", "--store", built.root)
    assert gone.exit_code == 1
    assert "unknown: unknown" in gone.output
    assert "1 removed" in gone.output
    first = built.current_version()
    folded = invoke("compact", "--store", built.root)
    assert "1 added and 0 removed pictures folded in: 7 pictures" in folded.output
    assert built.load().manifest.count == 7
    assert "nothing to fold in" in invoke("compact", "--store", built.root).output
    (result,) = json_lines(invoke("compact", "--store", built.root, "--json-progress").stdout)
    assert (result["state"], result["counts"]) == ("succeeded", {"added": 0, "removed": 0})
    (result,) = json_lines(invoke("compact", "--store", tmp_path / "none", "--json-progress").stdout)
    assert result["state"] == "failed"
    assert f"published version {first} again: 6 pictures" in invoke("rollback", "--store", built.root).output
    assert built.current_version() == first


def test_additions_that_cannot_be_made(invoke, built, tmp_path, predictor):
    (tmp_path / "x.png").write_bytes(encoded(50))
    places = ("--bundle", "b", "--store", built.root)
    for arguments, text in (
        (("add", tmp_path / "x.png", *places, "--metadata", "by"), "not of the form key=value"),
        (("add", tmp_path / "x.png", tmp_path / "x.png", *places, "--external-id", "x"), "names one picture"),
        (("add", built.snapshots, *places), "holds no JPEG"),
        (("add", tmp_path / "x.png", "--bundle", "b", "--store", tmp_path / "nowhere"), "holds no index yet"),
        (("remove", "x", "--store", tmp_path / "nowhere"), "holds no index yet"),
    ):
        result = invoke(*arguments)
        assert result.exit_code != 0
        assert text in str(result.exception)
    other = tiny_predictor(tmp_path, "other")
    result = invoke("add", tmp_path / "x.png", *places, embedder=other)
    assert "was made with model" in str(result.exception)
    assert not (tmp_path / "nowhere").exists()
    assert built.catalog.select("SELECT id FROM added") == []
