"""Behind a proxy: every address is right under a path of the proxy's, and only its own word on the client counts."""

import asyncio
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
import uvicorn
from pydantic import ValidationError
from starlette.responses import Response

from emotion.errors import ConfigError
from fakes import encoded
from service.__main__ import bind
from service.app import create_app

PNG = encoded(3)
ROOT = "/feel/alike"
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


@contextmanager
def listening(app):
    """The app on a port of its own."""
    with bind("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, proxy_headers=False))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        while not server.started:  # until then connections are refused
            assert thread.is_alive(), "the service did not start"
            time.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def proxy(upstream: int, *, strips: bool):
    """A proxy that shows the service under ROOT and nothing else; like nginx it names the upstream as Host."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path != ROOT and not self.path.startswith(f"{ROOT}/"):
                self.send_error(404, "not under the root path")
                return
            path = self.path.removeprefix(ROOT) or "/" if strips else self.path
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            inner = HTTPConnection("127.0.0.1", upstream)
            inner.request(self.command, path, body, {**headers, "X-Forwarded-Proto": "https"})
            answer = inner.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            inner.close()

        do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("strips", [True, False], ids=["stripping", "passing on"])
def test_every_address_holds_under_the_root_path(store, settings, predictor, python, auth, strips, problem):
    app = create_app(settings(root_path=ROOT), predictor=predictor, rebuild_command=python("raise SystemExit(1)"))
    with listening(app) as port, proxy(port, strips=strips) as outside, httpx2.Client(base_url=outside) as http:
        page = http.get(f"{ROOT}/")
        assert page.headers["Cache-Control"] == "no-cache"
        for part in ("static/js/main.js", "static/style.css", "info", "docs"):
            assert http.get(f"{ROOT}/{part}").status_code == 200, part
        assert "cdn.jsdelivr.net" in http.get(f"{ROOT}/docs").headers["Content-Security-Policy"]
        assert f"'{ROOT}/openapi.json'" in http.get(f"{ROOT}/docs").text
        assert http.get(f"{ROOT}/openapi.json").json()["servers"] == [{"url": ROOT}]
        found = http.post(f"{ROOT}/search?k=2", files={"file": PNG}).json()["results"]
        near = http.get(f"{found[0]['url']}/neighbours").json()["results"]
        listed = http.get(f"{ROOT}/images").json()["pictures"]
        for picture in (*found, *near, *listed):
            assert picture["url"].startswith(f"{ROOT}/images/")
            assert http.head(picture["url"]).status_code == http.get(picture["thumbnail_url"]).status_code == 200
        job = http.post(f"{ROOT}/admin/index/rebuild", headers=auth)
        assert http.get(job.headers["Location"], headers=auth).json()["id"] == job.json()["id"]
        assert f"{ROOT}/docs" in problem(http.get(f"{ROOT}/nothing"), 404, "not_found")["detail"]
        moved = http.get(f"{ROOT}/docs/")
        assert (moved.status_code, moved.headers["Location"]) == (307, f"{ROOT}/docs")
        metrics = http.get(f"{ROOT}/metrics").text
        assert 'route="/search"' in metrics
        assert 'route="/images/{id}/thumbnail"' in metrics


def test_the_path_without_its_slash_leads_to_the_page(store, serve):
    moved = serve(root_path=ROOT).get(ROOT, follow_redirects=False)
    assert (moved.status_code, moved.headers["Location"]) == (307, f"{ROOT}/")


@pytest.mark.parametrize("path", ["/livez", f"{ROOT}/livez", "/readyz"])
def test_probes_reach_it_with_the_path_and_without(store, serve, path):
    assert serve(root_path=ROOT, read_token="may read").get(path).status_code == 200


@pytest.mark.parametrize("path", ["/info", f"{ROOT}/info", f"{ROOT}{ROOT}/livez", f"{ROOT}/livez/../info"])
def test_no_path_leads_past_the_read_token(store, serve, problem, path):
    problem(serve(root_path=ROOT, read_token="may read").get(path), 401, "unauthorized")


def test_an_overloaded_service_refuses_at_the_door_there_too(store, serve, problem):
    client = serve(root_path=ROOT, max_uploads=1)
    with client.app.state.services.decoders.admission():
        problem(client.post(f"{ROOT}/search", content=PNG), 503, "overloaded")


def test_a_root_path_that_is_a_route_of_the_service_is_refused(settings, predictor):
    for path in ("/images", "/search/all", "/static"):
        with pytest.raises(ConfigError, match="is a route of the service"):
            create_app(settings(root_path=path), predictor=predictor)
    create_app(settings(root_path="/my/images"), predictor=predictor)


@pytest.mark.parametrize(
    ("given", "kept"), [("", ""), ("/", ""), ("/a", "/a"), ("/a/", "/a"), ("/a/b-c.d_~", "/a/b-c.d_~")]
)
def test_root_paths(settings, given, kept):
    assert settings(root_path=given).root_path == kept


@pytest.mark.parametrize("given", ["a", "//a", "/a//b", "/a b", "/a?b", "/a%20", "http://x/a", "/é", "/a\n"])
def test_what_is_no_root_path(settings, given):
    with pytest.raises(ValidationError, match="is not a path such as"):
        settings(root_path=given)


FORWARDED = [
    ("10.1.2.3", "10.0.0.0/8", "203.0.113.9", "203.0.113.9"),
    ("10.1.2.3", "10.0.0.0/8", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
    ("10.1.2.3", "10.1.2.3,10.9.9.9", "203.0.113.9, 10.9.9.9", "203.0.113.9"),
    ("10.1.2.3", "127.0.0.1,::1", "203.0.113.9", "10.1.2.3"),
    ("10.1.2.3", "", "203.0.113.9", "10.1.2.3"),
    ("10.1.2.3", "*", "203.0.113.9", "203.0.113.9"),
    ("::1", "127.0.0.1, ::1", "2001:db8::7", "2001:db8::7"),
]


@pytest.mark.parametrize(("peer", "trusted", "header", "client"), FORWARDED)
def test_only_trusted_proxies_say_who_the_client_is(settings, predictor, peer, trusted, header, client):
    app = create_app(settings(trusted_proxies=trusted), predictor=predictor)
    seen = []

    async def who(request):
        seen.append((request.client.host, request.url.scheme))
        return Response()

    app.add_route("/who", who)

    async def ask():
        transport = httpx2.ASGITransport(app=app, client=(peer, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://x") as http:
            await http.get("/who", headers={"X-Forwarded-For": header, "X-Forwarded-Proto": "https"})

    asyncio.run(ask())
    believed = client != peer
    assert seen == [(client, "https" if believed else "http")]


@pytest.mark.parametrize("given", ["proxy.example", "10.0.0.0/40", "10.0.0.1,*", "127.0.0.1;::1"])
def test_what_is_no_proxy(settings, given):
    with pytest.raises(ValidationError, match="is no address and no network"):
        settings(trusted_proxies=given)
