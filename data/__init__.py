"""The columnar store: settings, schema, connection, measures, queries."""
