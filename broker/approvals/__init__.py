"""Asking a human."""
