"""Verdicts: which tests are broken, since when, real or noise."""
