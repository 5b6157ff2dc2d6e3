"""What the query functions answer: one TypedDict of each answer, with what each field means.

The JSON of the API is these dicts; its OpenAPI document (`dashboard/api/schemas.py`), the columns of files and of data
frames are derived from them.
"""
