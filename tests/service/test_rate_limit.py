"""The limit of requests per client: the definition, who counts as one, and what a client is told."""

import asyncio
import random

import httpx2
import pytest

from fakes import encoded
from service import rate_limit
from service.app import create_app
from service.rate_limit import RateLimiter, client_address

PNG = encoded(3)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_it_is_a_bucket_that_fills():
    """Against the definition: a bucket of tokens, filled up to each moment."""
    rng, clock, per_s, burst = random.Random(3), Clock(), 2.5, 4
    limiter = RateLimiter(per_s, burst, clock)
    tokens, then = float(burst), clock.now_s
    n_let = 0
    for _ in range(3000):
        clock.now_s += rng.choice([0.0, 0.0, 0.1, 0.4, 1.7])
        tokens, then = min(burst, tokens + (clock.now_s - then) * per_s), clock.now_s
        wait_s = limiter.wait_s("one")
        if tokens >= 1 - 1e-6:
            assert wait_s == 0
            tokens -= 1
            n_let += 1
        else:
            assert wait_s == pytest.approx((1 - tokens) / per_s, abs=1e-6)
    assert 300 < n_let < 3000


def test_clients_do_not_share_and_a_refused_try_costs_nothing():
    clock = Clock()
    limiter = RateLimiter(1, 2, clock)
    assert [limiter.wait_s("one") for _ in range(4)] == [0, 0, 1, 1]
    assert limiter.wait_s("other") == 0
    clock.now_s += 1
    assert [limiter.wait_s("one") for _ in range(2)] == [0, 1]


def test_memory_is_bounded_and_given_back(monkeypatch):
    monkeypatch.setattr(rate_limit, "MAX_CLIENTS", 100)
    clock = Clock()
    limiter = RateLimiter(1, 5, clock)
    for number in range(1000):
        assert limiter.wait_s(f"flood {number}") == 0
        assert limiter.n_clients <= 100
    clock.now_s += 10
    for _ in range(60):
        clock.now_s += 10
        limiter.wait_s("one")
    assert limiter.n_clients == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::1%eth0", True),
        ("x" * 64, "x" * 5000, True),
        ("unknown", "", False),
    ],
)
def test_who_is_one_client(one, other, same):
    names = [client_address({"client": (host, 1)}) for host in (one, other)]
    assert (names[0] == names[1]) is same
    assert max(map(len, names)) <= 64
    assert client_address({"client": None}) == ""


LIMITS = {"rate_limit_per_s": 0.001, "rate_limit_burst": 3}


def test_more_than_the_burst_is_told_to_wait(store, serve, problem):
    client = serve(**LIMITS)
    for path in ("/info", "/static/js/main.js", "/nothing"):
        assert client.get(path).status_code != 429
    for method, path in (("GET", "/info"), ("POST", "/search"), ("GET", "/nothing")):
        refused = client.request(method, path, content=PNG if method == "POST" else None)
        problem(refused, 429, "rate_limited")
        assert 990 <= int(refused.headers["Retry-After"]) <= 1000
    for probe in ("/livez", "/readyz"):
        assert client.get(probe).status_code == 200
    metrics = client.app.state.services.metrics.exposition().decode()
    assert 'feelalike_refusals_total{code="rate_limited"} 3.0' in metrics
    assert "feelalike_rate_limit_clients 1.0" in metrics


def test_without_a_setting_nobody_is_limited(client):
    assert {client.get("/nothing").status_code for _ in range(120)} == {404}


def ask(app, requests):
    """The statuses of requests, each with its address and its headers."""

    async def main():
        async with app.router.lifespan_context(app):
            statuses = []
            for address, headers in requests:
                transport = httpx2.ASGITransport(app=app, client=(address, 1))
                async with httpx2.AsyncClient(transport=transport, base_url="http://x") as http:
                    statuses.append((await http.get("/info", headers=headers)).status_code)
            return statuses

    return asyncio.run(main())


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_each_address_has_its_own_and_a_proxy_passes_them_on(store, settings, predictor):
    app = create_app(settings(**LIMITS, trusted_proxies="10.0.0.1"), predictor=predictor)
    through = [("10.0.0.1", {"X-Forwarded-For": f"203.0.113.{i % 2}"}) for i in range(8)]
    assert ask(app, through) == [200] * 6 + [429] * 2
    app = create_app(settings(**LIMITS, trusted_proxies="10.0.0.1"), predictor=predictor)
    forged = [("192.0.2.9", {"X-Forwarded-For": f"203.0.113.{i}"}) for i in range(5)]
    assert ask(app, forged) == [200] * 3 + [429] * 2


@pytest.mark.parametrize(("by", "elsewhere"), [("address", [200] * 3), ("token", [429] * 3)])
def test_by_token_its_holders_are_one_client_wherever_they_are(store, settings, predictor, by, elsewhere):
    app = create_app(settings(**LIMITS, rate_limit_by=by, read_token="may read"), predictor=predictor)
    here = [("192.0.2.1", bearer("may read"))] * 4
    there = [("192.0.2.2", bearer("may read"))] * 3
    assert ask(app, here + there) == [200, 200, 200, 429, *elsewhere]


@pytest.mark.parametrize("by", ["address", "token"])
def test_guesses_at_the_token_are_limited(store, settings, predictor, by):
    app = create_app(settings(**LIMITS, rate_limit_by=by, read_token="may read"), predictor=predictor)
    assert ask(app, [("192.0.2.1", bearer(f"guess {i}")) for i in range(5)]) == [401] * 3 + [429] * 2
