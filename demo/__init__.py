"""The demo: a painted gallery and the way from nothing to a running service."""
