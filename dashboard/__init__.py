"""The web process: the Dash app with its screens and figures, the JSON API, the MCP server."""
