"""One screen each: PATH, NAME (its word in the navigation, or ""), layout() and register(app)."""

from dashboard.pages import overview, run, trends

PAGES = (overview, run, trends)
