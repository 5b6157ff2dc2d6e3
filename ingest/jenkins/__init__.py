"""Access to Jenkins: the client, its errors, URLs, and the description of a build."""
