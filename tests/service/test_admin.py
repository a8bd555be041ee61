"""Rebuilds, as the admin sees them, while searches go on."""

import json
import sys
from datetime import datetime

import pytest

from emotion.runtime import Device
from fakes import encoded, write_gallery
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from service.rebuild_job import KEPT_JOBS, build_command

REBUILD = "/admin/index/rebuild"
COMPACT = "/admin/index/compact"

# Says it is working until it is stopped.
ENDLESS = """
import json, time
print(json.dumps({"state": "running", "stage": "embed", "done": 3, "total": 9}), flush=True)
time.sleep(600)
"""


def finished(client, auth, wait_until, url):
    def look():
        job = client.get(url, headers=auth).json()
        return job if job["finished"] else None

    return wait_until(look)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", REBUILD),
        ("POST", COMPACT),
        ("POST", "/admin/index/rollback"),
        ("GET", "/admin/jobs"),
        ("GET", "/admin/jobs/x"),
        ("DELETE", "/admin/jobs/x"),
    ],
)
def test_without_the_token_nothing_is_done(client, headers, method, path, problem):
    response = client.request(method, path, headers=headers)
    problem(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", [None, "", "  "])
def test_admin_is_off_without_a_token_of_the_service(store, serve, token, problem):
    client = serve(admin_token=token)
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {token}"}):
        detail = problem(client.post(REBUILD, headers=headers), 401, "unauthorized")["detail"]
        assert "FEELALIKE_ADMIN_TOKEN" in detail
    assert client.get("/info").json()["admin_enabled"] is False


def test_a_rebuild_finds_new_pictures_and_is_live_when_it_succeeded(
    store, serve, rebuild_command, gallery, auth, wait_until
):
    client = serve(rebuild_command=rebuild_command, poll_interval_s=3600)
    before = client.get("/readyz").json()["index_version"]
    (gallery / "awe" / "new.png").write_bytes(encoded(77))
    response = client.post(REBUILD, headers=auth)
    assert response.status_code == 202
    job = response.json()
    assert response.headers["Location"] == f"/admin/jobs/{job['id']}"
    assert job["state"] in ("queued", "running")
    # Meanwhile the old index answers.
    assert client.post("/search?k=1", content=encoded(77)).json()["results"][0]["distance"] > 0
    job = finished(client, auth, wait_until, response.headers["Location"])
    assert (job["state"], job["error"]) == ("succeeded", None)
    assert job["counts"] == {"embedded": 1, "reused": 12, "duplicates": 0, "skipped": 0}
    assert job["progress"] == {"stage": "publish", "done": 13, "total": 13}
    assert datetime.fromisoformat(job["started"]) <= datetime.fromisoformat(job["finished"])
    answer = client.post("/search?k=1", content=encoded(77)).json()
    assert answer["results"][0]["distance"] == 0
    assert answer["index_version"] == job["index_version"] > before
    assert client.get("/readyz").json()["index_version"] == job["index_version"]


def test_one_rebuild_at_a_time_and_it_can_be_cancelled(store, serve, python, auth, wait_until, problem):
    client = serve(rebuild_command=python(ENDLESS))
    first = client.post(REBUILD, headers=auth).json()
    url = f"/admin/jobs/{first['id']}"
    wait_until(lambda: client.get(url, headers=auth).json()["progress"])
    running = client.get(url, headers=auth).json()
    assert (running["state"], running["progress"]) == ("running", {"stage": "embed", "done": 3, "total": 9})
    assert first["kind"] == "rebuild"
    for route in (REBUILD, COMPACT):
        assert problem(client.post(route, headers=auth), 409, "rebuild_running")["job_id"] == first["id"]
    assert client.delete(url, headers=auth).json()["state"] == "cancelled"
    assert client.get(url, headers=auth).json()["finished"]
    assert client.delete(url, headers=auth).json()["state"] == "cancelled"  # again: nothing more happens
    second = client.post(REBUILD, headers=auth)
    assert second.status_code == 202
    client.delete(second.headers["Location"], headers=auth)


def test_a_compaction_folds_in_what_was_added_and_deleted(store, serve, auth, wait_until):
    client = serve(poll_interval_s=3600)
    before = client.get("/readyz").json()["index_version"]
    added = client.post("/images", files={"file": encoded(77)}, headers=auth).json()["items"][0]["picture"]
    for picture in client.get("/images", params={"limit": 2}).json()["pictures"]:
        client.delete(picture["url"], headers=auth)
    left = client.get("/images").json()["pictures"]
    response = client.post(COMPACT, headers=auth)
    assert (response.status_code, response.json()["kind"]) == (202, "compact")
    assert response.headers["Location"] == f"/admin/jobs/{response.json()['id']}"
    job = finished(client, auth, wait_until, response.headers["Location"])
    assert (job["state"], job["error"], job["kind"]) == ("succeeded", None, "compact")
    n_added = 1 if added["id"] in {picture["id"] for picture in left} else 0
    assert job["counts"] == {"added": n_added, "removed": 1 + n_added}
    assert client.get("/readyz").json()["index_version"] == job["index_version"] > before
    facts = client.get("/info").json()["index"]
    assert (facts["count"], facts["added"]) == (11, 0)
    assert client.get("/images").json()["pictures"] == left


def test_a_job_can_be_cancelled_at_once(store, serve, python, auth):
    client = serve(rebuild_command=python(ENDLESS))
    job = client.post(REBUILD, headers=auth).json()
    assert client.delete(f"/admin/jobs/{job['id']}", headers=auth).json()["state"] == "cancelled"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            """print('{"state": "failed", "error": "the gallery is gone"}'); raise SystemExit(1)""",
            "the gallery is gone",
        ),
        ("""import sys; sys.exit("no module named index")""", "no module named index"),
        ("raise SystemExit(3)", "exit code 3"),
        ("print('chatter'); print('[1]'); print('{}')", "exit code 0"),
        ("""import sys; sys.stderr.write('x' * 3_000_000); sys.exit(1)""", "x"),
    ],
)
def test_a_failed_build_tells_why_and_changes_nothing(store, serve, python, auth, wait_until, script, reason):
    client = serve(rebuild_command=python(script))
    version = client.get("/readyz").json()["index_version"]
    job = finished(client, auth, wait_until, client.post(REBUILD, headers=auth).headers["Location"])
    assert job["state"] == "failed"
    assert reason in job["error"]
    assert len(job["error"]) < 5000
    assert client.get("/readyz").json()["index_version"] == version
    assert client.post(REBUILD, headers=auth).status_code == 202


def test_a_command_that_cannot_start_fails_the_job(store, serve, auth, wait_until):
    client = serve(rebuild_command=["/no/such/program"])
    job = finished(client, auth, wait_until, client.post(REBUILD, headers=auth).headers["Location"])
    assert job["state"] == "failed"


@pytest.mark.parametrize("name", ["FEELALIKE_ADMIN_TOKEN", "FEELALIKE_READ_TOKEN"])
def test_the_build_does_not_see_the_tokens(store, serve, python, auth, wait_until, monkeypatch, name):
    monkeypatch.setenv(name, "a token for tests")
    script = f"import os, sys; sys.exit(repr(os.environ.get({name!r})))"
    client = serve(rebuild_command=python(script))
    job = finished(client, auth, wait_until, client.post(REBUILD, headers=auth).headers["Location"])
    assert job["error"] == "None"


def test_a_published_index_that_the_service_refuses_is_no_success(
    store, serve, python, auth, wait_until, tmp_path, gallery
):
    from fakes import tiny_predictor

    other = rebuild(store, tiny_predictor(tmp_path, "other")).manifest.version
    line = json.dumps({"state": "succeeded", "version": other, "count": 12, "counts": {}})
    client = serve(rebuild_command=python(f"print({line!r})"))
    job = finished(client, auth, wait_until, client.post(REBUILD, headers=auth).headers["Location"])
    assert job["state"] == "failed"
    assert "made with model" in job["error"]


def test_old_jobs_are_forgotten(store, serve, python, auth, wait_until, problem):
    client = serve(rebuild_command=["/no/such/program"])
    urls = []
    for _ in range(KEPT_JOBS + 1):
        urls.append(client.post(REBUILD, headers=auth).headers["Location"])
        finished(client, auth, wait_until, urls[-1])
    problem(client.get(urls[0], headers=auth), 404, "unknown_job")
    assert client.get(urls[1], headers=auth).status_code == 200
    listed = client.get("/admin/jobs", headers=auth).json()["jobs"]
    assert [f"/admin/jobs/{job['id']}" for job in listed] == urls[:0:-1]
    problem(client.get("/admin/jobs/nonsense", headers=auth), 404, "unknown_job")


def test_stopping_the_service_stops_the_build(store, settings, predictor, python, auth, wait_until, tmp_path):
    from fastapi.testclient import TestClient

    from service.app import create_app

    mark = tmp_path / "stopped"
    script = f"""
    import signal, sys, time
    def stop(*_):
        open({str(mark)!r}, "w").close()
        sys.exit(130)
    signal.signal(signal.SIGTERM, stop)
    print('{{"state": "running", "stage": "scan", "done": 0, "total": 1}}', flush=True)
    time.sleep(600)
    """
    with TestClient(create_app(settings(), predictor=predictor, rebuild_command=python(script))) as client:
        url = client.post(REBUILD, headers=auth).headers["Location"]
        wait_until(lambda: client.get(url, headers=auth).json()["progress"])
    assert mark.exists()


def test_rollback_goes_back_once(store, serve, predictor, gallery, auth, problem):
    first = store.current_version()
    write_gallery(gallery, 14)
    second = rebuild(store, predictor, root=GalleryRoot(path=gallery)).manifest.version
    client = serve(poll_interval_s=3600)
    assert client.get("/info").json()["index"]["count"] == 14
    answer = client.post("/admin/index/rollback", headers=auth)
    assert answer.json() == {"index_version": first, "previous_version": second}
    assert client.get("/info").json()["index"]["count"] == 12
    problem(client.post("/admin/index/rollback", headers=auth), 409, "nothing_to_roll_back")


def test_rollback_to_another_models_index_is_refused(empty_store, serve, tmp_path, predictor, gallery, auth, problem):
    from fakes import tiny_predictor

    rebuild(empty_store, tiny_predictor(tmp_path, "other"), root=GalleryRoot(path=gallery))
    current = rebuild(empty_store, predictor).manifest.version
    client = serve()
    problem(client.post("/admin/index/rollback", headers=auth), 409, "snapshot_mismatch")
    assert empty_store.current_version() == current


def test_the_command_is_the_index_command_line(settings):
    command = build_command(settings(precision="bf16"), Device.CPU)
    assert command[:4] == [sys.executable, "-m", "index", "build"]
    assert command[command.index("--device") + 1] == "cpu"
    assert command[command.index("--precision") + 1] == "bf16"
    assert "--json-progress" in command
