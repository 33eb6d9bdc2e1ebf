"""The policy language and its engine; pure."""
