"""Models: one door to several providers, metered."""
