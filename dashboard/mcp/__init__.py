"""A read-only MCP server for language models; its tools call the JSON API (docs/mcp.md)."""
