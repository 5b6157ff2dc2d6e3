"""The benchmark, `regtracker bench`: `measurement` takes the figures, `report` writes docs/performance.md.

`synthetic` fills stores; `queries` times the screens' queries, `routes` the API over HTTP, `ingest` the way from
Jenkins into the lake (`python -m regtracker.bench.ingest` a long backfill), `reading` JUnit XML of several `dialects`.
`command` imports the rest only when it runs. Nothing outside this package imports it.
"""
