"""Failures that say nothing about a test: mass failures (in code: storms) and bad hosts.

Both are found once per lane, whichever part of the lane a query is about, so that every number and every list leaves
out the same failures.
"""
