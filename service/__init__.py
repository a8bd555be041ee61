"""The HTTP service: classify, search, administer."""
