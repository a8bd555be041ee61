"""Samples, splits, batches and augmentation."""
