"""How fast ingest, the queries and the API are: `regtracker bench`."""
