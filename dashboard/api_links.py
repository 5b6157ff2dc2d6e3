"""The data of a screen as one call of the JSON API, for "Copy API call" and exports."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from pydantic import BaseModel

from dashboard.api.parameters import ExportOption
from dashboard.api.parameters.reading import own_parameters
from dashboard.page_url import PageUrl


@dataclass(frozen=True)
class ApiCall:
    """`path` includes the query; `files`: the route also returns CSV and Parquet."""

    path: str
    files: bool


def api_call(route: tuple[str, ...], query: type[BaseModel], url: PageUrl, **changes: object) -> ApiCall:
    """The route with the URL's values of its parameters; `changes` override them, None or "" removes one."""
    given: dict[str, object] = {name: url.get(name) for name in own_parameters(query) | {"as_of"}}
    given |= changes
    wanted = {name: str(given[name]) for name in sorted(given) if given[name] not in (None, "", False)}
    path = "/".join(quote(segment, safe="") for segment in ("api", "v1", *route))
    return ApiCall(
        f"/{path}" + (f"?{urlencode(wanted, quote_via=quote)}" if wanted else ""), issubclass(query, ExportOption)
    )
