"""Losses on embeddings and logits; distances are squared Euclidean, as in the paper."""
