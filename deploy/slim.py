"""Remove from the cpu image what serving and indexing on a CPU never open; about 100 MB.

Every path is named, and one that is not there is an error, so that a new version of a package is looked at again.
"""

import shutil
import sys
import sysconfig
from pathlib import Path

UNUSED = (
    # Drivers of other devices, and the tuning table of one of them.
    "openvino/libs/libopenvino_intel_gpu_plugin.so",
    "openvino/libs/libopenvino_intel_npu_plugin.so",
    "openvino/libs/cache.json",
    # Readers of other formats than ONNX.
    "openvino/libs/libopenvino_gguf_frontend.so.2641",
    "openvino/libs/libopenvino_jax_frontend.so.2641",
    "openvino/libs/libopenvino_paddle_frontend.so.2641",
    "openvino/libs/libopenvino_pytorch_frontend.so.2641",
    "openvino/libs/libopenvino_tensorflow_frontend.so.2641",
    "openvino/libs/libopenvino_tensorflow_lite_frontend.so.2641",
    "openvino/frontend/jax",
    "openvino/frontend/paddle",
    "openvino/frontend/pytorch",
    "openvino/frontend/tensorflow",
    # For C++ programs.
    "openvino/include",
    "openvino/cmake",
    # The model converter and, with it, the usage report that every import of openvino would send.
    "openvino/tools",
    "openvino_telemetry",
    # A format that no picture may have here.
    "PIL/_avif.cpython-311-x86_64-linux-gnu.so",
    "pillow.libs/libavif-c6062d5f.so.16.4.2",
    # Tests and build tools of numpy.
    "numpy/_core/tests",
    "numpy/distutils",
    "numpy/f2py",
    "numpy/lib/tests",
    "numpy/ma/tests",
    "numpy/polynomial/tests",
    "numpy/random/tests",
    "numpy/typing/tests",
    "numpy/_core/lib",
    "numpy/_core/include",
)


def remove(site_packages: Path) -> None:
    """Remove them; exits with the missing ones if there are any."""
    if missing := [name for name in UNUSED if not (site_packages / name).exists()]:
        sys.exit(f"not in {site_packages}, so look again at what {Path(__file__).name} removes: {', '.join(missing)}")
    for path in (site_packages / name for name in UNUSED):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


if __name__ == "__main__":
    remove(Path(sysconfig.get_path("purelib")))
