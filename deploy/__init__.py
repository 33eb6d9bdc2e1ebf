"""Set-up, operation and the tour; the bootstrap and what it imports use the standard library only."""
