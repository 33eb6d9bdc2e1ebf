"""Secrets in text that is about to leave."""
