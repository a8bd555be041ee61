"""A GPU that fails while the service runs is said in the answer and in /readyz."""

import pytest

from emotion.errors import DeviceLostError, DeviceMemoryError
from fakes import encoded

LOST = "the GPU failed and this process cannot use it again, restart it: CUDA error: unspecified launch failure"


@pytest.fixture
def broken(predictor, monkeypatch):
    """Makes every run of the model raise, as the torch runtime does."""

    def broken_by(error):
        def run(pixels):
            if isinstance(error, DeviceLostError):
                predictor.runtime.failure = str(error)
            raise error

        monkeypatch.setattr(predictor.runtime, "run", run)

    return broken_by


def test_a_lost_gpu_is_said_everywhere(store, serve, broken, problem):
    client = serve()
    assert client.get("/readyz").status_code == 200
    broken(DeviceLostError(LOST))
    assert problem(client.post("/classify", content=encoded(1)), 503, "device_lost")["detail"] == LOST
    response = client.post("/search", content=encoded(1))
    problem(response, 503, "device_lost")
    assert response.headers["Retry-After"] == "30"
    for path in ("/readyz", "/livez"):
        assert problem(client.get(path), 503, "device_lost")["detail"] == LOST


def test_a_gpu_lost_to_the_index_is_said_too(store, serve, problem, monkeypatch):
    client = serve()
    monkeypatch.setattr("index.search.SearchIndex.failure", LOST)
    assert problem(client.get("/readyz"), 503, "device_lost")["detail"] == LOST


def test_out_of_memory_refuses_one_request_and_the_service_stays_ready(store, serve, broken, problem, monkeypatch):
    client = serve()
    broken(DeviceMemoryError("the GPU is out of memory: CUDA out of memory"))
    response = client.post("/classify", content=encoded(1))
    problem(response, 503, "device_out_of_memory")
    assert response.headers["Retry-After"] == "1"
    monkeypatch.undo()
    assert client.get("/readyz").status_code == 200
    assert client.post("/classify", content=encoded(1)).status_code == 200


def test_more_than_an_index_on_a_gpu_gives_is_a_refusal(store, serve, problem):
    client = serve()
    client.app.state.services.live.current.index._index.max_k = 5
    assert client.post("/search?k=5", content=encoded(1)).status_code == 200
    detail = problem(client.post("/search?k=6", content=encoded(1)), 422, "invalid_parameter")["detail"]
    assert detail == "k = 6 is above 5, the most that an index on a GPU gives"


def test_info_says_where_searches_run(store, serve):
    assert serve().get("/info").json()["index"]["device"] == "cpu"
