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


def test_streams_run_at_a_time_and_give_the_same_numbers(shipped_bundle):
    bundle = load_bundle(shipped_bundle)
    side = bundle.manifest.preprocess.size_px
    batches = np.random.default_rng(0).standard_normal((6, 2, 3, side, side)).astype(np.float32)
    one, two = OpenVinoRuntime(bundle), OpenVinoRuntime(bundle, n_streams=2)
    expected = [one.run(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(two.run, batches))
    for a, b in zip(expected, found, strict=True):
        assert b.embeddings == pytest.approx(a.embeddings, abs=1e-5)
        assert b.logits == pytest.approx(a.logits, abs=1e-4)


def test_a_batch_that_fails_leaves_its_stream_free(shipped_bundle):
    bundle = load_bundle(shipped_bundle)
    runtime = OpenVinoRuntime(bundle)
    side = bundle.manifest.preprocess.size_px
    with pytest.raises(RuntimeError):
        runtime.run(np.zeros((1, 1, side, side), np.float32))
    assert len(runtime.run(np.zeros((1, 3, side, side), np.float32)).embeddings) == 1


def test_openvino_is_never_unloaded(shipped_bundle):
    """Unloaded in another thread, it leaves the first one with freed memory as its stack for signals."""
    first = the_core()
    runtimes = [OpenVinoRuntime(load_bundle(shipped_bundle))]
    thread = threading.Thread(target=runtimes.clear)
    thread.start()
    thread.join()
    assert the_core() is first
