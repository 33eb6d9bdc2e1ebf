"""Strict YAML: bytes to values with places, and back to text."""
