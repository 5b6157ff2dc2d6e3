"""The Jenkins client, and what a build says of itself."""
