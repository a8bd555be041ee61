"""Array types that cross module borders, with their shapes.

Letters: b pictures in a batch, n gallery rows, k neighbours, d embedding size (680), c emotions, h and w pixels.
"""

import numpy as np
from jaxtyping import Float32, Int64, UInt8

Pixels = Float32[np.ndarray, "3 h w"]
PixelBatch = Float32[np.ndarray, "b 3 h w"]
Embedding = Float32[np.ndarray, "d"]
Embeddings = Float32[np.ndarray, "b d"]
Probabilities = Float32[np.ndarray, "c"]
ProbabilityRows = Float32[np.ndarray, "b c"]
Rows = Int64[np.ndarray, "b k"]
Distances = Float32[np.ndarray, "b k"]
Unfamiliarities = Float32[np.ndarray, "b"]
Shares = Float32[np.ndarray, "b"]
Rgb8 = UInt8[np.ndarray, "h w 3"]
