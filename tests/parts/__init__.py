"""Real parts for the tests: each starts on loopback or a Unix socket and leaves nothing behind."""
