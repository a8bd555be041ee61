"""The multi-task network: backbone, sentiment vector, class head (torch)."""
