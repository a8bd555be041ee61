"""The commands of `python -m training`, by what they are for; training/__main__.py puts them together."""
