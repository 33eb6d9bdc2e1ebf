"""Configuration as code: one folder."""
