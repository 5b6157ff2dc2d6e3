"""Verdicts: which tests are broken, since when, and whether it is real or noise."""
