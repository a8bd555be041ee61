"""Compositions: one module for each emotion, each with several ways to paint it."""
