"""Open work of the ingest process: ledger, requests, poll status."""
