"""The schemas of the answers, as pydantic models. The OpenAPI document is generated from them, and tests check answers.

Answers are not built from them at run time: the functions of data/queries return plain dicts of this form.
"""
