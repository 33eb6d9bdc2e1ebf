"""The credential broker: doors, pipeline, services, store."""
