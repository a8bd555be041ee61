"""Torch and faiss-gpu in one process, imported in the order given: what they compute, and which libraries they share.

Run by test_images.py with the gpu image's Python; prints one JSON object.
"""

import importlib
import json
import sys
import threading
from pathlib import Path

import numpy as np

_modules = {name: importlib.import_module(name) for name in sys.argv[1:]}
faiss, torch = _modules["faiss"], _modules["torch"]

N, DIM, QUERIES = 4000, 64, 16


def main() -> None:
    """Convolve and search from two threads each, then list what is mapped."""
    vectors = np.random.default_rng(0).standard_normal((N, DIM), dtype=np.float32)
    flat = faiss.IndexFlatL2(DIM)
    ivf = faiss.IndexIVFFlat(faiss.IndexFlatL2(DIM), DIM, 32)
    ivf.train(vectors)
    for index in (flat, ivf):
        index.add(vectors)
    conv = torch.nn.Conv2d(3, 16, 3).eval()
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = conv(pixels)
    wrong: list[str] = []

    def convolve() -> None:
        with torch.inference_mode():
            for _ in range(50):
                if not torch.allclose(conv(pixels), expected, atol=1e-5):
                    wrong.append("conv")

    def search() -> None:
        for _ in range(50):
            for index, params in ((flat, None), (ivf, faiss.SearchParametersIVF(nprobe=8))):
                _, rows = index.search(vectors[:QUERIES], 3, params=params)
                if (rows[:, 0] != np.arange(QUERIES)).any():
                    wrong.append(type(index).__name__)

    threads = [threading.Thread(target=work) for work in (convolve, search, convolve, search)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    facts = {
        "wrong": wrong,
        "gpus": faiss.get_num_gpus(),
        "cuda": torch.cuda.is_available(),
        "libraries": sorted(cuda_libraries()),
    }
    print(json.dumps(facts))


def cuda_libraries() -> set[str]:
    """CUDA's shared libraries in this process: path below site-packages."""
    mapped = (line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines())
    return {path.partition("site-packages/")[2] for path in mapped if "/nvidia/" in path and ".so" in path}


if __name__ == "__main__":
    main()
