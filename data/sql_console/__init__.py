"""The SQL console: a read-only SELECT in a sandboxed process."""
