"""The terms of the domain: ids, filters, measures, and the records of builds, runs and bugs that ingest writes."""
