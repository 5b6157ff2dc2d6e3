"""One screen each: PATH, NAME (its word in the navigation, or ""), layout() and register(app)."""

from dashboard.pages import build, ingest, overview, run, test, trends

PAGES = (overview, run, trends, ingest, build, test)
