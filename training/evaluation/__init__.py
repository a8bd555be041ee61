"""Affective retrieval and classification metrics, and the report that shows them."""
