"""How a stored credential is turned into a lease."""
