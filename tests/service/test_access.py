"""The read token: nobody reads without it, browsers and programs do with it."""

import base64
import logging

import pytest

from emotion.errors import ConfigError
from fakes import encoded
from service.settings import read_settings

READ = "may read"
PNG = encoded(3)


def basic(password: str, name: str = "anybody") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def closed(store, serve):
    return serve(read_token=READ)


@pytest.mark.parametrize(
    "path", ["/", "/static/js/main.js", "/info", "/docs", "/openapi.json", "/metrics", "/images/x", "/map", "/nowhere"]
)
def test_nothing_is_read_without_the_token(closed, problem, path):
    answer = closed.get(path)
    problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_people_who_gave_no_token_read_what_to_do(closed):
    answer = closed.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "the token as password" in answer.text.replace("\n", " ")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {READ}x",
        READ,
        "Basic",
        "Basic !",
        basic(""),
        basic("x"),
        basic("", READ),
        "Bearer é",
    ],
)
def test_another_token_is_none(closed, problem, given):
    problem(closed.post("/search", content=PNG, headers={"Authorization": given.encode()}), 401, "unauthorized")


@pytest.mark.parametrize("given", [f"Bearer {READ}", f"bearer  {READ}", basic(READ), "Bearer a token for tests"])
def test_programs_browsers_and_the_admin_may_read(closed, given):
    assert closed.post("/search", content=PNG, headers={"Authorization": given}).status_code == 200


def test_probes_need_none(closed):
    assert closed.get("/livez").status_code == 200
    assert closed.get("/readyz").status_code == 200


@pytest.mark.parametrize("given", [f"Bearer {READ}", basic("a token for tests")])
def test_what_reads_may_not_administer(closed, problem, given):
    """A browser sends what it was asked for by itself, wherever the request comes from: no admin by Basic."""
    problem(closed.post("/admin/index/rollback", headers={"Authorization": given}), 401, "unauthorized")


def test_without_a_read_token_all_may_read(client):
    assert client.get("/info").status_code == 200


def test_no_token_is_logged(closed, caplog):
    with caplog.at_level(logging.DEBUG):
        closed.get("/info", headers={"Authorization": "Bearer a guess at it"})
        closed.get("/info", headers={"Authorization": f"Bearer {READ}"})
    assert "/info" in caplog.text
    assert READ not in caplog.text
    assert "a guess" not in caplog.text


@pytest.fixture
def places(monkeypatch, tmp_path):
    for name in ("ADMIN_TOKEN", "READ_TOKEN"):
        monkeypatch.delenv(f"FEELALIKE_{name}", raising=False)
    monkeypatch.setenv("FEELALIKE_BUNDLE", str(tmp_path))
    monkeypatch.setenv("FEELALIKE_STORE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["admin_token", "read_token"])
def test_a_token_from_a_file(places, monkeypatch, name):
    (places / "token").write_text(" from a file\n")
    monkeypatch.setenv(f"FEELALIKE_{name.upper()}_FILE", str(places / "token"))
    settings = read_settings({})
    assert getattr(settings, name).get_secret_value() == "from a file"
    assert "from a file" not in repr(settings)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot be read"), (b" \n", "is empty"), (b"\xff", "cannot be")]
)
def test_a_file_without_a_token_does_not_open_the_service(places, monkeypatch, content, message):
    if content is not None:
        (places / "token").write_bytes(content)
    monkeypatch.setenv("FEELALIKE_READ_TOKEN_FILE", str(places / "token"))
    with pytest.raises(ConfigError, match=message):
        read_settings({})


def test_one_token_in_two_places_is_an_error(places, monkeypatch):
    (places / "token").write_text("a")
    monkeypatch.setenv("FEELALIKE_READ_TOKEN_FILE", str(places / "token"))
    monkeypatch.setenv("FEELALIKE_READ_TOKEN", "b")
    with pytest.raises(ConfigError, match="FEELALIKE_READ_TOKEN and FEELALIKE_READ_TOKEN_FILE are both set"):
        read_settings({})


def test_no_other_site_may_read_answers(client):
    answer = client.get("/info", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
