"""How much may happen at once."""
