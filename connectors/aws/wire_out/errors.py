"""What writing an answer raises."""

from __future__ import annotations


class RenderError(Exception):
    """The result cannot be written in this protocol, or does not fit the operation's output; holds no value of it."""


def unfit(expected: str) -> RenderError:
    """Return the error for a value of another type than the model has."""
    return RenderError(f"expected {expected}, found another type")
