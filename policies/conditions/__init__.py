"""Conditions: as they are written, and as they are decided."""
