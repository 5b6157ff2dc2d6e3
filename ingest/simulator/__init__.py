"""A faithful fake Jenkins with a deterministic regression programme behind it."""
