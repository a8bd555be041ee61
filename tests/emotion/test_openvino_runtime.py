import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from emotion.bundle import load_bundle
from emotion.openvino_runtime import OpenVinoRuntime, the_core


def test_nothing_is_reported_to_anybody(tmp_path):
    """openvino's reports leave a count of themselves in the home folder."""
    variables = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    script = "import emotion.openvino_runtime, sys; print(sys.modules['openvino_telemetry'])"
    command = [sys.executable, "-c", script]
    result = subprocess.run(
        command, env=variables | {"HOME": str(tmp_path)}, check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "None"
    assert list(tmp_path.iterdir()) == []


TIMEOUT_S = 60


@pytest.fixture
def runtime(shipped_bundle) -> OpenVinoRuntime:
    return OpenVinoRuntime(load_bundle(shipped_bundle))


def pictures(n: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, channels, 224, 224)).astype(np.float32)


def test_a_picture_has_the_same_numbers_in_any_company(runtime):
    batch = pictures(7)
    alone = [runtime.run(batch[i : i + 1]) for i in range(7)]
    for size in (2, 3, 7):
        together = runtime.run(batch[:size])
        assert together.embeddings == pytest.approx(np.concatenate([one.embeddings for one in alone[:size]]), abs=1e-6)
        assert together.logits == pytest.approx(np.concatenate([one.logits for one in alone[:size]]), abs=1e-5)
        distances = np.concatenate([one.unfamiliarities for one in alone[:size]])
        assert together.unfamiliarities == pytest.approx(distances, rel=1e-4)


@pytest.mark.parametrize("n_streams", [1, 3])
def test_callers_at_a_time_get_their_own_answers(shipped_bundle, runtime, n_streams):
    several = OpenVinoRuntime(load_bundle(shipped_bundle), n_streams=n_streams)
    batches = [pictures(12)[i : i + size] for i, size in enumerate((4, 1, 3, 2, 1, 5))]
    with ThreadPoolExecutor(6) as pool:
        found = [pool.submit(several.run, batch) for batch in batches]
        for batch, answer in zip(batches, found, strict=True):
            assert answer.result(TIMEOUT_S).embeddings == pytest.approx(runtime.run(batch).embeddings, abs=1e-5)


@pytest.mark.parametrize("n_pictures", [1, 3])
def test_a_batch_that_fails_holds_nothing_back(runtime, n_pictures):
    for _ in range(5):  # more often than there are requests
        with pytest.raises(RuntimeError):
            runtime.run(pictures(n_pictures, channels=1))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(runtime.run, pictures(n_pictures)).result(TIMEOUT_S)
    assert len(answer.embeddings) == n_pictures


def test_one_core_is_enough(shipped_bundle, runtime):
    one = OpenVinoRuntime(load_bundle(shipped_bundle), n_threads=1)
    assert one.run(pictures(3)).embeddings == pytest.approx(runtime.run(pictures(3)).embeddings, abs=1e-5)


def test_openvino_is_never_unloaded(shipped_bundle):
    """Unloaded in another thread, it leaves the first one with freed memory as its stack for signals."""
    first = the_core()
    runtimes = [OpenVinoRuntime(load_bundle(shipped_bundle))]
    thread = threading.Thread(target=runtimes.clear)
    thread.start()
    thread.join()
    assert the_core() is first
