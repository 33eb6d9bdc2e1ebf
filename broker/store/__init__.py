"""Rows in, words out: protocols and SQL."""
