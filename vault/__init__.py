"""Sealed credentials; a process of its own."""
