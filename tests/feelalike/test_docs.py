"""The code of docs/client.md and docs/embeddings.md does what it says, over a real connection."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import uvicorn

from conftest import ROOT
from fakes import encoded
from index.export import export_gallery


def code_of(page: str, address: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), flags=re.DOTALL)
    return "".join(blocks).replace("http://127.0.0.1:8000", address)


@pytest.fixture
def address(make_app):
    server = uvicorn.Server(uvicorn.Config(make_app(), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    (port,) = [socket.getsockname()[1] for one in server.servers for socket in one.sockets]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def test_the_client_of_the_page_runs(address, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    for seed in (50, 51):
        (tmp_path / "photos" / f"{seed}.jpg").write_bytes(encoded(seed, "JPEG"))
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "photo.jpg").write_bytes(encoded(70))
    page = code_of("client.md", address).replace(
        "client.search(file, k=3) for file in files", "client.search(file, k=3) for file in files[:2]"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TOKEN": "a token for tests"}
    arguments = [sys.executable, "-W", "error", "-c", page]
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^1 \d\.\d+ (awe|fear) ", done.stdout, flags=re.MULTILINE)
    assert "broken.jpg unsupported_format" in done.stdout
    assert re.search(r"True [0-9a-f]{32}\n10 pictures", done.stdout)
    assert "{'embedded': 2}" in done.stdout
    assert "unsupported_format 415" in done.stdout


def test_a_table_finds_what_a_search_finds(address, store, tmp_path, monkeypatch, capsys):
    export_gallery(store, tmp_path / "gallery.parquet", lambda _: None)
    (tmp_path / "photo.jpg").write_bytes(encoded(3))
    monkeypatch.chdir(tmp_path)
    exec(compile(code_of("embeddings.md", address), "docs/embeddings.md", "exec"), {})  # noqa: S102
    snapshot = store.load()
    (hits,) = snapshot.index.search(snapshot.vectors[:1], 3)
    *found, nearest = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert found == [[f"{hit:.4f}", item_id] for hit, item_id in zip(hits.distances, hits.ids, strict=True)]
    assert float(nearest[0]) < 1e-6, "the photo is in the gallery"
