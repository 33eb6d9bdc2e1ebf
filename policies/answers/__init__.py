"""Answers about decisions: why, what nearly, what would help."""
