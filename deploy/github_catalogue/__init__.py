"""Builds the catalogue of GitHub's REST operations from its OpenAPI description; see `__main__`."""
