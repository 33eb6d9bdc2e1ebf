"""Alerts: what people should know, on the ledger and where they look."""
