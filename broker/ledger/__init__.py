"""The tamper-evident record of everything."""
