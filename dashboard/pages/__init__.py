"""One screen each: PATH, NAME (its word in the navigation, or ""), layout() and register(app)."""

from dashboard.pages import build, compare, failure, failures, ingest, overview, run, test, trends

PAGES = (overview, run, failures, trends, compare, ingest, failure, build, test)
