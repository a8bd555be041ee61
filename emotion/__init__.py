"""The core: taxonomy, pictures, preprocessing, bundles, prediction. No web, no index, no optimiser."""
