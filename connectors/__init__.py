"""Kinds of upstream; pure plans, async execution."""
