"""Report files to cases: one module a format, bytes in, `ingest.records.Report` out."""
