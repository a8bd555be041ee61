"""Pages of docs/ that are written from the code, each by a function that returns the whole page."""
