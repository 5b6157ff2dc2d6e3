"""One screen each: PATH, NAME (its label in the navigation, or ""), layout(), register(app), and
as_api_call(store, url, **segments), the API call with the data that it shows (None if there is none)."""

from dashboard.pages import (
    bug,
    bugs,
    build,
    compare,
    docs,
    failure,
    failures,
    grid,
    ingest,
    matrix,
    overview,
    run,
    sql,
    test,
    trends,
)

PAGES = (overview, run, matrix, failures, bugs, grid, trends, compare, sql, ingest, failure, build, test, bug, docs)
