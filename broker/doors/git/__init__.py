"""git smart HTTP, for unmodified git: clone, fetch and push against ``/git/<connection>/<owner>/<repo>.git``."""
