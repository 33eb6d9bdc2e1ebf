"""GitHub: every REST operation, pull requests and issues as resources, merges at the approved head."""
