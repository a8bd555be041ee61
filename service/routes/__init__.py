"""The routes, a module for every part of the API."""
