"""Typed resources: what connectors declare, and the reading of rules against it."""
