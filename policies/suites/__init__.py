"""Policy test files: read, run, reported."""
