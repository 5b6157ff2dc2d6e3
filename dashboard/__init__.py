"""Rows to screens and JSON: the Dash app, its pages and figures, the Flask API."""
