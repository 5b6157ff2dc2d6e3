"""The DuckLake: connection, snapshots, migrations and maintenance."""
