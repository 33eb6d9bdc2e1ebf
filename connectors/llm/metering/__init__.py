"""What an answer came to, read from its bytes as they pass."""
