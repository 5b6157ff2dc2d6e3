"""Scenarios, servers and assertions that tests share."""
