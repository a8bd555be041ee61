"""Models that name several emotions a picture: triplets by likeness of labels on frozen features, and sigmoids."""
