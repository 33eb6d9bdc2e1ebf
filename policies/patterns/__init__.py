"""Patterns over actions and resources, and their matchers."""
