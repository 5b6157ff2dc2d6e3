"""The shapes of the answers, as pydantic models: they make the OpenAPI document, and tests hold every answer to them.

Answers are not built from these at run time: the questions in data/queries answer plain dicts of exactly this form.
"""
