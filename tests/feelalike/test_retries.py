"""What is sent again, after which wait, and what never is."""

import asyncio
import random
from datetime import UTC, datetime

import httpx2
import pytest

from feelalike import (
    AsyncClient,
    Client,
    InvalidRequestError,
    NoAnswerError,
    NotFoundError,
    Retries,
    ServerError,
    UnavailableError,
    UnexpectedAnswerError,
)
from feelalike.errors import PICTURE_CODES
from feelalike.retries import read_retry_after
from service.examples import CLASSIFICATION, INFO, ROLLBACK, STARTED_JOB

BUSY = httpx2.Response(503, json={"code": "overloaded", "detail": "too busy"}, headers={"Retry-After": "2"})
LOST = httpx2.ReadError("the connection broke")
UNREACHABLE = httpx2.ConnectError("refused")
GONE = httpx2.Response(404, json={"code": "unknown_image"})


def ok(content=CLASSIFICATION) -> httpx2.Response:
    return httpx2.Response(200, json=content)


class Script:
    """Answers one after the other, and remembers what was asked and how long was waited."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def client(self, base_url: str = "http://service", **options) -> Client:
        return Client(base_url, transport=httpx2.MockTransport(self), sleep=self.waits.append, **options)


@pytest.mark.parametrize("hitch", [BUSY, LOST, UNREACHABLE, httpx2.Response(429), httpx2.Response(502)])
def test_what_passes_is_tried_again_with_the_same_bytes(hitch):
    script = Script(hitch, hitch, ok())
    assert script.client().classify(b"a picture").emotion == "awe"
    assert [request.content for request in script.requests] == [b"a picture"] * 3
    assert len(script.waits) == 2


def test_the_service_says_how_long_to_wait_at_least():
    script = Script(BUSY, BUSY, ok())
    script.client().classify(b"x")
    assert [2 <= wait <= 2.5 for wait in script.waits] == [True, True]


def test_after_all_attempts_the_refusal_is_told():
    script = Script(*[BUSY] * 4)
    with pytest.raises(UnavailableError, match="503 overloaded: too busy") as refusal:
        script.client().classify(b"x")
    assert (refusal.value.retry_after_s, len(script.requests)) == (2, 4)
    script = Script(LOST, LOST)
    with pytest.raises(NoAnswerError, match="POST /classify: the connection broke") as failure:
        script.client(retries=Retries(attempts=2)).classify(b"x")
    assert failure.value.__cause__ is LOST


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx2.Response(503, headers={"Retry-After": "30"}), UnavailableError),
        (httpx2.Response(422, json={"code": "invalid_parameter"}), InvalidRequestError),
        (httpx2.Response(500, json={"code": "internal_error"}), ServerError),
        (httpx2.ReadTimeout("too slow"), NoAnswerError),
        (httpx2.Response(307, headers={"Location": "https://other"}), UnexpectedAnswerError),
        (httpx2.Response(200, text="<html>a login page</html>"), UnexpectedAnswerError),
        (httpx2.Response(200, json={"emotion": "awe"}), UnexpectedAnswerError),
    ],
)
def test_what_another_attempt_would_not_mend_is_told_at_once(answer, error):
    script = Script(answer)
    with pytest.raises(error):
        script.client().classify(b"x")
    assert script.waits == []


@pytest.mark.parametrize("ask", [lambda client: client.rollback(), lambda client: client.start_rebuild()])
def test_what_would_be_done_twice_is_sent_again_only_if_it_never_arrived(ask):
    for answer in (LOST, httpx2.Response(502), BUSY):
        script = Script(answer)
        with pytest.raises((NoAnswerError, ServerError, UnavailableError)):
            ask(script.client())
        assert len(script.requests) == 1
    for answer in (UNREACHABLE, httpx2.Response(429, headers={"Retry-After": "0"})):
        script = Script(answer, ok(STARTED_JOB | ROLLBACK))
        ask(script.client())
        assert len(script.requests) == 2


def test_a_deletion_whose_answer_got_lost_is_done():
    Script(LOST, GONE).client().delete("x")
    for script in (Script(GONE), Script(UNREACHABLE, GONE)):
        with pytest.raises(NotFoundError):
            script.client().delete("x")


def test_pictures_of_a_batch_that_the_service_was_too_busy_for_are_asked_for_again():
    busy = {"classification": None, "error": {"title": "Too busy", "status": 503, "detail": "", "code": "overloaded"}}
    broken = {"classification": None, "error": {"title": "", "status": 415, "detail": "", "code": "unsupported_format"}}
    done = {"classification": CLASSIFICATION, "error": None}

    def batch(*items) -> httpx2.Response:
        return ok({"items": items, "model_id": "m"})

    script = Script(ok(INFO), batch(busy, broken, done, busy), batch(busy, done), batch(done))
    items = list(script.client().classify_many([b"first", b"second", b"third", b"fourth"]))
    assert [item.error is None for item in items] == [True, False, True, True]
    assert [request.content.count(b"filename=") for request in script.requests] == [0, 4, 2, 1]
    assert b"first" in script.requests[-1].content
    script = Script(ok(INFO), *[batch(busy)] * 4)
    (item,) = script.client().classify_many([b"x"])
    assert (item.error.code, script.answers) == ("overloaded", [])


def test_probes_are_asked_once():
    for ask in (Client.ready, Client.live):
        with pytest.raises(UnavailableError):
            ask(Script(BUSY).client())


def test_the_asynchronous_client_tries_again_too():
    script = Script(LOST, BUSY, ok())

    async def sleep(seconds: float) -> None:
        script.waits.append(seconds)

    async def work() -> None:
        async with AsyncClient("http://service", transport=httpx2.MockTransport(script), sleep=sleep) as client:
            await client.classify(b"x")

    asyncio.run(work())
    assert len(script.waits) == 2


@pytest.mark.parametrize(
    ("n_made", "retry_after_s", "least", "most"),
    [(1, None, 0, 0.25), (2, None, 0, 0.5), (3, None, 0, 1), (9, None, 0, 10), (1, 3, 3, 3.25), (9, 9.5, 9.5, 10)],
)
def test_waits_double_and_are_drawn(n_made, retry_after_s, least, most):
    rng = random.Random(0)
    waits = [Retries(attempts=99).wait_s(n_made, retry_after_s, rng) for _ in range(200)]
    assert least <= min(waits)
    assert max(waits) <= most
    assert max(waits) - min(waits) > 0.8 * (most - least)


@pytest.mark.parametrize(("n_made", "retry_after_s"), [(4, None), (4, 1), (1, 10.1)])
def test_there_is_an_end(n_made, retry_after_s):
    assert Retries().wait_s(n_made, retry_after_s, random.Random(0)) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5),
        (" 0 ", 0),
        ("Sun, 22 Nov 2026 10:00:07 GMT", 7),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-3", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert read_retry_after(header, datetime(2026, 11, 22, 10, tzinfo=UTC)) == seconds


@pytest.mark.parametrize("base_url", ["https://example.org/feel", "https://example.org/feel/"])
def test_below_the_path_of_a_proxy(base_url):
    script = Script(ok(), GONE)
    client = script.client(base_url)
    client.classify(b"x")
    with pytest.raises(NotFoundError):
        client.picture("../a b/c")
    assert [request.url.raw_path.decode() for request in script.requests] == [
        "/feel/classify",
        "/feel/images/..%2Fa%20b%2Fc",
    ]


@pytest.mark.parametrize("wrong", ["example.org", "ftp://example.org", ""])
def test_a_base_url_that_is_none(wrong):
    with pytest.raises(ValueError, match="http://"):
        Client(wrong)


@pytest.mark.parametrize("wrong", ["", ".", ".."])
def test_an_id_that_would_name_another_route(wrong):
    with pytest.raises(ValueError, match="no id"):
        Script().client().delete(wrong)


def test_a_service_before_the_limits_of_batches_were_told():
    limits = {name: value for name, value in INFO["limits"].items() if not name.startswith("max_batch")}
    assert Script(ok(INFO | {"limits": limits})).client().info().limits.max_batch_pictures == 16


def test_tokens_stay_out_of_what_is_printed():
    script = Script(httpx2.Response(401, json={"code": "unauthorized"}))
    client = script.client(token="hush", admin_token="hush, too\n")
    with pytest.raises(Exception, match="unauthorized") as refusal:
        client.rollback()
    assert script.requests[0].headers["Authorization"] == "Bearer hush, too"
    assert "hush" not in repr(client) + repr(refusal.value)


def test_the_codes_of_single_pictures_are_the_services():
    from emotion.errors import PictureFault

    assert {fault.value for fault in PictureFault} - PICTURE_CODES == {"unreadable_file"}
    assert {fault.value for fault in PictureFault} > PICTURE_CODES
