"""The HTTP service: classify a picture, find those that feel alike, keep the index live."""
