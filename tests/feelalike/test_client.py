"""What the client does with a real service: every kind of picture, every answer, every refusal."""

import asyncio
import inspect
import io

import httpx2
import pytest
from PIL import Image

from conftest import ROOT
from fakes import encoded
from feelalike import (
    AsyncClient,
    Client,
    ConflictError,
    InvalidRequestError,
    JobError,
    NotFoundError,
    PictureRefusedError,
    UnauthorizedError,
    UnavailableError,
    WaitTimeoutError,
)
from feelalike.models import AddedItem
from index.rebuild import rebuild
from index.store import SnapshotStore

TOKEN = "a token for tests"
PNG = encoded(3)
NEW = encoded(50)


@pytest.fixture
def connect_async(make_app):
    """Runs a coroutine function with an asynchronous client of the app."""

    def run(work):
        async def main():
            app = make_app()
            transport = httpx2.ASGITransport(app)
            async with (
                app.router.lifespan_context(app),
                AsyncClient("http://testserver", admin_token=TOKEN, transport=transport) as client,
            ):
                return await work(client)

        return asyncio.run(main())

    return run


def test_whatever_holds_a_picture_is_the_same_picture(client, tmp_path):
    path = tmp_path / "p.png"
    path.write_bytes(PNG)
    sources = [path, str(path), PNG, bytearray(PNG), memoryview(PNG), io.BytesIO(PNG), Image.open(path)]
    with path.open("rb") as stream:
        answers = [client.classify(source) for source in (*sources, stream)]
    assert answers == [answers[0]] * len(answers)
    assert answers[0].confidence == answers[0].probabilities[answers[0].emotion]


def test_a_picture_of_pillow_is_sent_upright_and_in_a_mode_that_png_has(client):
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(io.BytesIO(PNG)).save(buffer, "JPEG", quality=95, exif=exif)
    turned = client.embed(buffer.getvalue()).embedding
    assert client.embed(Image.open(buffer)).embedding == pytest.approx(turned, abs=1e-6)
    cmyk = Image.open(io.BytesIO(PNG)).convert("CMYK")
    assert client.embed(cmyk).embedding == client.embed(cmyk.convert("RGB")).embedding


@pytest.mark.parametrize(("source", "message"), [(io.StringIO("x"), "opened for text"), (7, "not int"), (None, "None")])
def test_what_holds_no_picture_is_said_before_anything_is_sent(source, message):
    with pytest.raises(TypeError, match=message):
        Client("http://127.0.0.1:9").classify(source)


def test_searches(client):
    answer = client.search(PNG, k=4)
    assert [result.rank for result in answer.results] == [1, 2, 3, 4]
    assert answer.results[0].distance == 0
    assert len(client.search(PNG).results) == 9, "the service's own k"
    first = answer.results[0]
    near = client.neighbours(first.id, k=3)
    assert near.picture.id == first.id
    assert [one.id for one in near.results] == [one.id for one in answer.results[1:]]
    assert client.picture(first.id) == PNG
    assert client.thumbnail(first.id).startswith(b"\xff\xd8\xff")
    of_mood = client.search_mood(first.emotion, k=2, label="fear")
    assert {result.labels for result in of_mood.results} <= {("fear",)}
    assert client.search(PNG, k=1, mood=first.emotion, mood_weight=1.0).results[0].emotion == first.emotion


def test_filters_reach_the_service(client):
    fear = client.search(PNG, k=9, label=["fear", "none"], dedupe=True, max_distance=2)
    assert {result.label for result in fear.results} == {"fear"}
    assert client.search(PNG, metadata={"by": "nobody"}).results == []
    with pytest.raises(TypeError, match="no such filter: emotions; there are emotion, "):
        client.search(PNG, emotions="awe")
    with pytest.raises(InvalidRequestError, match="emotion") as refusal:
        client.search(PNG, emotion="hunger")
    assert refusal.value.code == "invalid_parameter"


def test_batches_are_split_as_the_service_takes_them(connect):
    client = connect(max_batch_pictures=4)
    pictures = [encoded(seed) for seed in range(4)] + [b"no picture"] + [encoded(4)] * 3 + [b""]
    classified = list(client.classify_many(pictures))
    expected = [None] * 4 + ["unsupported_format"] + [None] * 3 + ["empty_picture"]
    assert [item.error and item.error.code for item in classified] == expected
    assert classified[0].classification == client.classify(pictures[0])
    found = list(client.search_many(pictures, k=1, label="awe"))
    assert [item.results is None for item in found] == [code is not None for code in expected]
    assert found[0].results == client.search(pictures[0], k=1, label="awe").results
    assert list(client.classify_many([])) == []


def test_a_batch_is_no_heavier_than_the_service_takes(connect):
    client = connect(max_batch_bytes=2 * len(PNG) + 10, max_upload_bytes=10 * len(PNG))
    heavy = encoded(7, size=(200, 200)) + bytes(100_000)
    items = list(client.classify_many([PNG, PNG, PNG, heavy, PNG]))
    assert [item.error and item.error.code for item in items] == [None, None, None, "picture_too_large", None]


def test_a_live_gallery(client, store):
    added = client.add(NEW, label="awe", metadata={"by": "me"}, external_id="mine-1")
    assert (added.created, added.error) == (True, None)
    assert added.picture == client.find("mine-1")
    assert client.find("mine-2") is None
    assert not client.add(NEW).created
    assert client.search(NEW, k=1, metadata={"by": "me"}).results[0].distance == 0
    ids = [picture.id for picture in client.pictures(page_size=3)]
    assert len(ids) == 10
    assert ids == sorted(ids)
    client.delete(added.picture.id)
    with pytest.raises(NotFoundError) as refusal:
        client.delete(added.picture.id)
    assert refusal.value.code == "unknown_image"
    assert refusal.value.request_id
    assert [picture.id for picture in client.pictures()] == [one for one in ids if one != added.picture.id]


def test_many_are_added_each_with_its_entry_or_its_error(connect):
    client = connect(max_batch_pictures=2)
    items = client.add_many([NEW, encoded(51), b"no picture"], label="fear")
    assert [item.created for item in items] == [True, True, False]
    assert [item.picture and item.picture.label for item in items] == ["fear", "fear", None]
    assert isinstance(items[2], AddedItem)
    assert items[2].error.code == "unsupported_format"
    taken = client.add(encoded(52), external_id="x").picture
    with pytest.raises(ConflictError, match="409 external_id_taken") as conflict:
        client.add(encoded(53), external_id=taken.external_id)
    assert conflict.value.job_id is None


def test_a_rebuild_tells_how_far_it_is_and_ends(client):
    seen = []
    job = client.rebuild(seen.append, poll_s=0.01)
    assert (job.state, job.is_over) == ("succeeded", True)
    assert seen[-1] == job
    assert not seen[0].is_over
    assert client.job(job.id) == job


def test_a_rebuild_that_fails_is_an_error(connect):
    client = connect(script='print(json.dumps({"state": "failed", "error": "the disk is full"}))')
    with pytest.raises(JobError, match="the disk is full") as failure:
        client.rebuild(poll_s=0.01)
    assert failure.value.job.state == "failed"


def test_a_rebuild_beside_another_names_it_and_can_be_waited_for_or_cancelled(connect):
    client = connect(script="\nimport time\ntime.sleep(60)")
    job = client.start_rebuild()
    with pytest.raises(ConflictError) as conflict:
        client.rebuild()
    assert conflict.value.job_id == job.id
    with pytest.raises(WaitTimeoutError, match=job.id):
        client.wait_for(job.id, timeout_s=0.02, poll_s=0.01)
    assert client.cancel_job(job.id).state == "cancelled"
    with pytest.raises(JobError, match="cancelled"):
        client.wait_for(job.id)


def test_rollback(client, store, predictor, tmp_path):
    before = store.current_version()
    rebuild(store, predictor)
    after = store.current_version()
    answer = client.rollback()
    assert answer.index_version == before
    assert after > before
    with pytest.raises(ConflictError, match="nothing_to_roll_back"):
        client.rollback()


def test_facts(client, store):
    assert client.live().status == "alive"
    assert client.ready().index_version == store.current_version()
    info = client.info()
    assert (info.index.count, info.admin_enabled, info.limits.max_batch_pictures) == (9, True, 16)


def test_tokens(connect):
    closed = {"read_token": "may read"}
    assert connect(options={"admin_token": None, "token": "may read"}, **closed).search(PNG, k=1).results
    assert connect(**closed).search(PNG, k=1).results, "the admin token reads too"
    with pytest.raises(UnauthorizedError):
        connect(options={"admin_token": None}, **closed).search(PNG)
    both = connect(options={"token": "may read"}, **closed)
    assert both.search(PNG, k=1).results
    assert both.add(NEW).created
    with pytest.raises(UnauthorizedError, match="401 unauthorized"):
        connect(options={"admin_token": None, "token": "may read"}, **closed).add(NEW)


def test_waits_until_the_service_is_ready(connect, store, predictor, tmp_path):
    (store.root / "CURRENT").unlink()
    waits = []

    def publish_meanwhile(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            rebuild(store, predictor)

    client = connect(options={"sleep": publish_meanwhile}, poll_interval_s=0.01)
    with pytest.raises(UnavailableError, match="not_ready"):
        client.ready()
    assert client.wait_until_ready(poll_s=0.05).index_version == store.current_version()
    with pytest.raises(WaitTimeoutError, match="the service"):
        Client("http://127.0.0.1:9", sleep=lambda _: None).wait_until_ready(timeout_s=0.01)


def test_the_asynchronous_client_does_the_same(connect_async, store: SnapshotStore, tmp_path):
    path = tmp_path / "p.png"
    path.write_bytes(PNG)

    async def work(client: AsyncClient):
        assert (await client.search(path, k=1)).results[0].distance == 0
        many = [PNG, b"no picture", *(encoded(seed) for seed in range(20))]
        classified = [item async for item in client.classify_many(many)]
        assert [item.error is None for item in classified] == [True, False, *[True] * 20]
        assert [item.results[0].rank async for item in client.search_many([PNG] * 2, k=1)] == [1, 1]
        assert len({picture.id async for picture in client.pictures(page_size=4)}) == 9
        items = await client.add_many([NEW, encoded(51)])
        assert all(item.created for item in items)
        await client.delete(items[0].picture.id)
        with pytest.raises(PictureRefusedError, match="415 unsupported_format"):
            await client.classify(b"no picture")
        seen = []
        assert (await client.rebuild(seen.append, poll_s=0.01)).state == "succeeded"
        assert seen
        return await client.wait_until_ready()

    assert connect_async(work).index_version == store.current_version()


def test_both_clients_have_the_same_methods_with_the_same_arguments():
    def surface(kind: type) -> dict[str, list[inspect.Parameter]]:
        public = {name: method for name, method in inspect.getmembers(kind, callable) if not name.startswith("_")}
        return {name: list(inspect.signature(method).parameters.values()) for name, method in public.items()}

    both, own = surface(AsyncClient), surface(Client)
    own["aclose"] = own.pop("close")
    assert both == own


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "feelalike" / "py.typed").is_file()
