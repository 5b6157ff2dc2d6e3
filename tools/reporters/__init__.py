"""Real reporters: what they are, how they run, what the store should have and has of their files.

`reporters.toml` and `expected.toml` explain their keys; `suites/` has the tests that each one runs.
"""
