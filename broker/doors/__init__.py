"""The doors: they translate between a protocol and the broker, and hold no rules of their own."""
