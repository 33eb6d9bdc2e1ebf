"""Questions about all requests at once: containment, overlap, differences, lint, who can and what can I."""
