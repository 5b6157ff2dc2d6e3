"""One screen each: PATH, NAME (its word in the navigation, or ""), layout() and register(app)."""

from dashboard.pages import build, compare, failure, failures, grid, ingest, overview, run, test, trends

PAGES = (overview, run, failures, grid, trends, compare, ingest, failure, build, test)
