"""Pictures turned away by the head of their request, before the framework sees it."""

import json
import logging
from types import SimpleNamespace

import pytest

from service.errors import OverloadedError
from service.gate import Gate
from service.metrics import Metrics

READ_TOKEN = "a token to read with"
BASIC = [(b"host", b"x"), (b"content-type", b"image/jpeg")]
WITH_TOKEN = [*BASIC, (b"authorization", f"Bearer {READ_TOKEN}".encode())]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def gate(settings, metrics):
    """A gate of a service that is full, or of one that is not."""

    def make(*, full: bool = True, **changes) -> Gate:
        def check_room() -> None:
            if full:
                raise OverloadedError("as many as may wait; try again")

        services = SimpleNamespace(pipeline=SimpleNamespace(check_room=check_room), metrics=metrics)
        web = SimpleNamespace(state=SimpleNamespace(services=services))
        return Gate(web, settings(**changes))

    return make


def parsed(answer: bytes) -> tuple[str, dict[str, str], dict]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert len(headers) == len(lines)
    assert int(headers["content-length"]) == len(body)
    return first, headers, json.loads(body)


@pytest.mark.parametrize("url", [b"/search", b"/search?k=3", b"/classify"])
def test_a_picture_without_room_is_refused_as_the_routes_refuse_it(gate, serve, store, url):
    first, headers, content = parsed(gate().refusal(b"POST", url, BASIC))
    assert first == "HTTP/1.1 503 Service Unavailable"
    client = serve(max_uploads=1)
    with client.app.state.services.decoders.admission():
        by_route = client.post(url.decode(), content=b"x", headers={"Content-Type": "image/jpeg"})
    assert by_route.status_code == 503
    assert headers.keys() == by_route.headers.keys()
    own = {"x-request-id", "content-length"}
    assert {k: v for k, v in headers.items() if k not in own} == {
        k: v for k, v in by_route.headers.items() if k not in own
    }
    assert content.keys() == by_route.json().keys()
    assert content["code"] == by_route.json()["code"] == "overloaded"
    assert content["request_id"] == headers["x-request-id"]
    assert headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("method", "url"),
    [(b"GET", b"/search?mood=awe"), (b"POST", b"/search/batch"), (b"POST", b"/admin/index/rebuild"), (b"POST", b"/")],
)
def test_whatever_else_passes(gate, method, url):
    assert gate().refusal(method, url, BASIC) is None


def test_with_room_all_pass(gate):
    assert gate(full=False).refusal(b"POST", b"/search", BASIC) is None


def test_a_closed_service_tells_nobody_without_its_token_that_it_is_full(gate):
    closed = gate(read_token=READ_TOKEN)
    assert closed.refusal(b"POST", b"/search", BASIC) is None
    assert closed.refusal(b"POST", b"/search", [*BASIC, (b"authorization", b"Bearer wrong")]) is None
    first, headers, _ = parsed(closed.refusal(b"POST", b"/search", WITH_TOKEN))
    assert " 503 " in first
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_where_clients_are_counted_the_app_answers(gate):
    assert gate(rate_limit_per_s=5).refusal(b"POST", b"/search", BASIC) is None


@pytest.mark.parametrize("url", [b"/moods/search", b"/search"])
def test_a_root_path_may_have_been_taken_off(gate, url, caplog):
    with caplog.at_level(logging.INFO, "feelalike.http"):
        assert gate(root_path="/moods").refusal(b"POST", url, BASIC) is not None
    assert "POST /moods/search 503 0 ms code=overloaded" in caplog.messages


def test_a_refusal_is_logged_and_counted(gate, metrics, caplog):
    with caplog.at_level(logging.INFO, "feelalike.http"):
        _, headers, content = parsed(gate().refusal(b"POST", b"/search", [*BASIC, (b"x-request-id", b"mine-1")]))
    assert headers["x-request-id"] == content["request_id"] == "mine-1"
    assert caplog.messages == ["POST /search 503 0 ms code=overloaded"]
    told = metrics.exposition().decode()
    assert 'feelalike_http_requests_total{method="POST",route="/search",status="503"} 1.0' in told
    assert 'feelalike_refusals_total{code="overloaded"} 1.0' in told
    assert 'feelalike_http_request_seconds_count{route="/search"} 1.0' in told


@pytest.mark.parametrize("given", [b"two words", b"x" * 65, b"\xff", b""])
def test_an_id_that_is_none_gets_another(gate, given):
    _, headers, _ = parsed(gate().refusal(b"POST", b"/search", [*BASIC, (b"x-request-id", given)]))
    assert len(headers["x-request-id"]) == 32
