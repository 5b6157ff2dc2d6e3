"""The values that a query takes as parameters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

SqlScalar = str | int | float | bytes | datetime | None
SqlValue = SqlScalar | Sequence[SqlScalar]
SqlParameters = dict[str, SqlValue]  # by name
