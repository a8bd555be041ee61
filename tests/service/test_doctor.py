"""`python -m service doctor`: what it says of things that are as they should be, and of each that is not."""

import json
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from filelock import FileLock
from packaging.requirements import Requirement
from typer.testing import CliRunner

from emotion.bundle import MANIFEST_NAME
from emotion.runtime import Precision
from fakes import tiny_predictor
from service.__main__ import app
from service.doctor import access, locks, machine, software
from service.doctor.finding import Status, guarded
from service.doctor.index import Size
from service.settings import ServiceSettings

MIB = 2**20
STRONG = "q8Zr-3uP_x5Lk0Tn2VwY"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in [name for name in os.environ if name.startswith("FEELALIKE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def examine(predictor):
    """Runs the command; the exit code, and each finding by its check."""

    def run(*arguments):
        words = [*map(str, arguments), "--port", "0"]
        result = CliRunner().invoke(app, ["doctor", *words, "--json"], obj=lambda settings: predictor)
        report = json.loads(result.stdout)
        assert report["healthy"] is (result.exit_code == 0)
        for finding in report["findings"]:
            assert (finding["remedy"] is None) is (finding["status"] == "ok"), "what is not well has a remedy"
        return result.exit_code, {finding["check"]: finding for finding in report["findings"]}

    return run


def settings(**changes) -> ServiceSettings:
    return ServiceSettings(**{"bundle": "b", "store": "s", "decode_threads": 2} | changes)


def test_a_service_that_would_run(examine, predictor, store):
    code, findings = examine("--bundle", predictor.bundle.path, "--store", store.root)
    assert code == 0
    wanted = "python packages faiss bundle labels runtime index snapshot match catalog gallery disk rights lock"
    assert list(findings) == [*wanted.split(), "cpu", "gpu", "memory", "threads", "port", "tokens"]
    assert "12 pictures" in findings["index"]["found"]
    assert "fake on cpu at fp32" in findings["runtime"]["found"]
    assert findings["lock"]["status"] == "ok"


def test_before_anything_is_set_up(examine, tmp_path, predictor):
    code, findings = examine()
    assert code == 0
    assert findings["bundle"]["status"] == findings["index"]["status"] == "warning"
    assert "python -m index build" in findings["index"]["remedy"]
    code, findings = examine("--bundle", predictor.bundle.path, "--store", tmp_path / "none")
    assert code == 1
    build = f"python -m index build --bundle {predictor.bundle.path} --store {tmp_path / 'none'} --gallery"
    assert build in findings["index"]["remedy"]
    assert not (tmp_path / "none").exists(), "it changes nothing"


def test_flags_may_stand_before_the_word(tmp_path, predictor):
    words = ["--store", str(tmp_path / "none"), "doctor", "--json", "--port", "0"]
    report = json.loads(CliRunner().invoke(app, words, obj=lambda settings: predictor).stdout)
    assert str(tmp_path / "none") in str(report)


def damage_bundle(store, bundle: Path):
    (bundle / "model.onnx").write_bytes(b"damaged")


def edit_bundle(store, bundle: Path):
    (bundle / MANIFEST_NAME).write_text("{}")


def damage_current(store, bundle):
    (store.root / "CURRENT").write_text("x")


def damage_snapshot(store, bundle):
    with (store.snapshots / store.current_version() / "vectors.npy").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\x7f")


def damage_catalog(store, bundle):
    store.catalog.path.write_bytes(b"no database" * 1000)
    for leftover in store.root.glob("catalog.sqlite-*"):
        leftover.unlink()


def lose_catalog(store, bundle):
    store.catalog.path.unlink()


@pytest.mark.parametrize(
    ("harm", "check", "text", "remedy"),
    [
        (damage_bundle, "bundle", "model.onnx differs from its recorded hash", "copy the whole folder again"),
        (edit_bundle, "bundle", "is not a bundle manifest", "copy the whole folder again"),
        (damage_current, "index", "CURRENT is damaged", "index rollback"),
        (damage_snapshot, "snapshot", "vectors.npy differs from its recorded hash", "index rollback"),
        (damage_catalog, "catalog", "catalog.sqlite cannot be used", "docs/operations.md"),
        (lose_catalog, "catalog", "deleted pictures are found again", "docs/operations.md"),
    ],
)
def test_what_is_broken_is_named_with_its_remedy(examine, predictor, store, harm, check, text, remedy):
    harm(store, predictor.bundle.path)
    code, findings = examine("--bundle", predictor.bundle.path, "--store", store.root)
    assert (code, findings[check]["status"]) == (1, "failed")
    assert text in findings[check]["found"]
    assert remedy in findings[check]["remedy"]
    assert "tokens" in findings, "the rest is looked at too"


def test_an_index_of_another_model_or_precision(examine, store, predictor, tmp_path):
    other = tiny_predictor(tmp_path, "other").bundle
    _, findings = examine("--bundle", other.path, "--store", store.root)
    assert f"by model {predictor.model_id}, the bundle is {other.model_id}" in findings["match"]["found"]
    _, findings = examine("--bundle", predictor.bundle.path, "--store", store.root, "--precision", "bf16")
    assert "serve with --precision fp32" in findings["match"]["remedy"]


def test_a_gallery_that_is_gone_and_a_store_that_is_busy(examine, store, predictor, gallery):
    gallery.rename(gallery.with_name("moved"))
    with FileLock(store.root / ".lock"):
        code, findings = examine("--bundle", predictor.bundle.path, "--store", store.root)
        assert locks.is_held(store.root / ".lock")
        if locks.LOCKS.exists() and (who := locks.holders(store.root / ".lock")):
            assert who[0].startswith(f"pid {os.getpid()}: ")
    assert code == 0
    assert findings["gallery"]["status"] == findings["lock"]["status"] == "warning"
    assert not locks.is_held(store.root / ".lock")
    assert not locks.is_held(store.root / "none")


def test_the_table_of_locks_is_read(tmp_path):
    file, table = tmp_path / ".lock", tmp_path / "locks"
    file.touch()
    inode = file.stat().st_ino
    table.write_text(
        f"1: FLOCK  ADVISORY  WRITE 999999999 00:2a:{inode} 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 7 00:2a:{inode} 0 EOF\n"
        f"2: POSIX  ADVISORY  READ 8 00:2a:{inode + 1} 0 EOF\n"
    )
    assert locks.holders(file, table) == ["pid 999999999"]
    assert locks.holders(file, tmp_path / "none") == []


def test_a_wrong_setting_is_one_finding_and_the_rest_is_looked_at(examine, predictor, monkeypatch):
    monkeypatch.setenv("FEELALIKE_MAX_K", "many")
    code, findings = examine("--bundle", predictor.bundle.path)
    assert code == 1
    assert "FEELALIKE_MAX_K" in findings["settings"]["found"]
    assert findings["bundle"]["status"] == "ok"


def test_a_model_that_cannot_run_is_a_finding(predictor, tmp_path):
    class Broken:
        def __call__(self, settings):
            raise RuntimeError("no such instruction")

    words = ["doctor", "--bundle", str(predictor.bundle.path), "--port", "0"]
    result = CliRunner().invoke(app, words, obj=Broken())
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("runtime")]
    assert line.startswith("runtime   failed  unexpected RuntimeError: no such instruction")
    assert "report it" in result.stdout
    assert "1 failed" in result.stdout


class Alive(BaseHTTPRequestHandler):
    """Answers every request as a service that is alive."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


def test_ports():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    (free,) = access.port_findings(settings(port=port))
    assert free.status is Status.OK
    with HTTPServer(("127.0.0.1", 0), Alive) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        (ours,) = access.port_findings(settings(port=server.server_port))
        server.shutdown()
    assert (ours.status, "answers on" in ours.found) == (Status.WARNING, True)
    (wrong,) = access.port_findings(settings(host="192.0.2.1", port=8000))
    assert (wrong.status, "192.0.2.1" in wrong.found) == (Status.FAILED, True)


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({}, []),
        ({"admin_token": STRONG}, []),
        ({"admin_token": "hunter"}, ["FEELALIKE_ADMIN_TOKEN can be guessed: 6 characters"]),
        ({"read_token": "a" * 40}, ["FEELALIKE_READ_TOKEN can be guessed"]),
        ({"admin_token": STRONG, "read_token": STRONG}, ["are the same"]),
        ({"host": "192.0.2.1"}, ["whoever reaches 192.0.2.1:8000"]),
        ({"host": "::1"}, []),
        ({"host": "localhost"}, []),
        ({"host": "192.0.2.1", "read_token": STRONG}, []),
    ],
)
def test_tokens(changes, texts):
    found = list(access.token_findings(settings(**changes)))
    assert [one.status for one in found] == ([Status.WARNING] * len(texts) or [Status.OK])
    assert all(text in one.found for text, one in zip(texts, found, strict=False))
    assert not any(token in str(found) for token in (STRONG, "hunter")), "a token is never shown"


def test_a_token_that_others_may_read(tmp_path):
    file = tmp_path / "token"
    file.write_text(STRONG)
    file.chmod(0o644)
    (found,) = access.token_findings(settings(read_token_file=file))
    assert f"chmod 600 {file}" in found.remedy
    file.chmod(0o600)
    (found,) = access.token_findings(settings(read_token_file=file))
    assert found.status is Status.OK


@pytest.mark.parametrize(
    ("flags", "precision", "status", "text"),
    [
        ("avx2 avx512f avx512_vnni avx512_bf16", "bf16", "ok", "AVX2, AVX-512, VNNI, AVX512-BF16: fp32, bf16, int8"),
        ("avx2 amx_bf16 amx_int8", "int8", "ok", "AMX-BF16, AMX-INT8: fp32, bf16, int8"),
        ("avx2", "fp32", "ok", "AVX2: fp32"),
        ("avx2", "bf16", "failed", "bf16 was asked for"),
        ("avx2", "int8", "warning", "not faster"),
        ("sse", "fp32", "ok", "none of AVX2"),
    ],
)
def test_cpu(flags, precision, status, text):
    found = machine.judge_cpu(machine.cpu_flags(f"processor\t: 0\nflags\t\t: {flags}\n"), Precision(precision))
    assert (found.status, text in found.found) == (status, True), found


@pytest.mark.parametrize(
    ("cards", "sees", "is_wanted", "status", "text"),
    [
        (["H100"], (True, True), False, "ok", "torch: sees it; faiss: sees it"),
        (["H100"], (True, False), False, "warning", "faiss: does not see it"),
        (["H100"], (False, True), True, "failed", "torch: does not see it"),
        ([], (False, False), True, "failed", "nvidia-smi: none"),
    ],
)
def test_gpu(cards, sees, is_wanted, status, text):
    found = machine.judge_gpu(cards, torch_sees=sees[0], faiss_sees=sees[1], is_wanted=is_wanted)
    assert (found.status, text in found.found) == (status, True), found


@pytest.mark.parametrize(
    ("limit", "changes", "size", "status", "text"),
    [
        (256, {}, Size(), "failed", "more memory"),
        (8000, {}, Size(), "ok", ""),
        (2000, {}, Size(), "warning", "FEELALIKE_MAX_PIXELS=25395200 FEELALIKE_MAX_UPLOADS=32"),
        (8000, {}, Size(3_000_000, 680), "failed", "fewer pictures"),
        (2000, {"max_pixels": 25_000_000, "max_uploads": 8}, Size(), "ok", ""),
    ],
)
def test_memory(limit, changes, size, status, text):
    found = machine.judge_memory(limit * MIB, settings(**changes), size)
    assert (found.status, text in (found.remedy or "")) == (status, True), found


@pytest.mark.parametrize(
    ("cores", "quota", "changes", "status", "text"),
    [
        (4, None, {}, "ok", ""),
        (16, 2.0, {}, "warning", "FEELALIKE_MODEL_THREADS=2 FEELALIKE_DECODE_THREADS=2 OMP_NUM_THREADS=2"),
        (16, 2.0, {"model_threads": 2}, "ok", ""),
        (16, 0.5, {"model_threads": 1, "decode_threads": 1}, "ok", ""),
        (2, 4.0, {"model_threads": 8}, "warning", "to 2 at most"),
    ],
)
def test_threads(cores, quota, changes, status, text):
    found = machine.judge_threads(cores, quota, settings(**changes), {"OMP_NUM_THREADS": "3"})
    assert (found.status, text in (found.remedy or "")) == (status, True), found
    assert "OMP_NUM_THREADS=3" in found.found


def test_the_least_limit_of_a_container_counts(tmp_path):
    own, inner = tmp_path / "own", tmp_path / "cgroup" / "pod" / "box"
    inner.mkdir(parents=True)
    own.write_text("0::/pod/box\n")
    (inner / "memory.max").write_text("max\n")
    (inner / "cpu.max").write_text("150000 100000\n")
    (inner.parent / "memory.max").write_text("1000\n")
    assert machine.container_limits(tmp_path / "cgroup", own) == (1000, 1.5)
    own.write_text("4:memory:/x\n3:cpu,cpuacct:/x\n0::/\n")
    for name, files in {
        "memory": {"memory.limit_in_bytes": str(2**63 - 4096)},
        "memory/x": {"memory.limit_in_bytes": "2000"},
        "cpu/x": {"cpu.cfs_quota_us": "200000", "cpu.cfs_period_us": "100000"},
        "cpu": {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"},
    }.items():
        (tmp_path / "cgroup" / name).mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (tmp_path / "cgroup" / name / file).write_text(text)
    assert machine.container_limits(tmp_path / "cgroup", own) == (2000, 2.0)
    assert machine.container_limits(tmp_path / "none", tmp_path / "none") == (None, None)


@pytest.mark.parametrize(
    ("found", "status", "text"),
    [
        ({"numpy": "2.4.6", "faiss-cpu": "1.15.1"}, "ok", ""),
        ({"numpy": "1.26.0"}, "warning", "numpy 1.26.0 is not <3,>=2.2"),
        ({"numpy": "2.4.6", "faiss-cpu": "1.14.0"}, "warning", "faiss-cpu 1.14.0"),
        ({}, "failed", "not installed: numpy"),
    ],
)
def test_packages(found, status, text):
    wanted = [Requirement("numpy>=2.2,<3"), Requirement('faiss-cpu>=1.15,<1.16; extra == "cpu"')]
    finding = software.judge_packages(wanted, found)
    assert (finding.status, text in finding.found) == (status, True), finding


def test_two_packages_of_faiss(monkeypatch):
    monkeypatch.setattr(software, "installed", lambda names: {"faiss-cpu": "1.15.1", "faiss-gpu": "1.15.1"})
    (found,) = software.faiss_findings()
    assert (found.status, "pip uninstall" in found.remedy) == (Status.FAILED, True)


def test_a_look_that_breaks_is_a_finding():
    def look():
        yield from ()
        raise ZeroDivisionError("oh")

    (found,) = guarded("disk", "look again", look)
    assert (found.status, "ZeroDivisionError: oh" in found.found) == (Status.FAILED, True)
