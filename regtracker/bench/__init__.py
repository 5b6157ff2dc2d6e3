"""The benchmark, `regtracker bench`: `command` runs it, `report` writes docs/performance.md.

`synthetic` fills stores; `queries` times the screens' queries, `routes` the API over HTTP, `ingest` the way from
Jenkins into the lake (`python -m regtracker.bench.ingest` a long backfill), `reading` JUnit XML of several `dialects`. Nothing outside this package
imports it.
"""
