"""A bundle's embedding without this project: Pillow, numpy and ONNX Runtime; `python onnx_embedding.py BUNDLE PICTURE`.

The service's own numbers to rounding, for 8-bit pictures without transparency: the service lays transparent ones on
white, scales 16 bits to 8, and has limits of bytes and pixels.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def embed(bundle: Path, picture: Path) -> np.ndarray:
    """The normalised vector of one picture."""
    spec = json.loads((bundle / "bundle.json").read_text())["preprocess"]
    size, part = spec["size_px"], spec["crop_fraction"] if spec["fit"] == "crop" else 1
    image = Image.open(picture)
    scale = min(1, round(size / part) / min(image.size))
    image.draft("RGB", (round(image.width * scale), round(image.height * scale)))  # large JPEGs are decoded reduced
    image = ImageOps.exif_transpose(image).convert("RGB")
    whole = np.array(image.size)
    side = min(whole) * np.array([part, part]) if spec["fit"] == "crop" else whole
    box = (*(whole - side) / 2, *(whole + side) / 2)
    pixels = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box), np.float32)
    pixels = ((pixels[..., ::-1] if spec["bgr"] else pixels) / 255 - spec["mean"]) / spec["std"]
    session = onnxruntime.InferenceSession(bundle / "model.onnx")
    (vector,) = session.run(["embedding"], {"pixels": pixels.transpose(2, 0, 1)[None].astype(np.float32)})[0]
    return vector / np.linalg.norm(vector)


if __name__ == "__main__":
    print(json.dumps(embed(Path(sys.argv[1]), Path(sys.argv[2])).tolist()))
