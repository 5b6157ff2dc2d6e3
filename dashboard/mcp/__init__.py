"""The store for language models: a read-only MCP server whose tools ask the JSON API (docs/mcp.md)."""
