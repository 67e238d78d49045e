"""One small file per job of a user."""
