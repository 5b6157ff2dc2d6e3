"""Questions about time: how counts, pass rate and duration moved over runs or days."""

from __future__ import annotations

from typing import Any

from data import ids
from data.cache import question
from data.filters import Filter
from data.measures import iso, pass_rate, sums
from data.queries.runs import conditions
from data.store import Store

GROUPS = ("module", "release", "environment", "topology")
DEFAULT_RUNS = 100


@question
def trend(store: Store, flt: Filter, by: str = "run", group: str | None = None) -> dict[str, Any]:
    """{"series": [{"name", "points": [...]}]}, oldest point first, over the newest `flt.runs` (100) runs of each
    release. A point is a run, or the sum of a day's runs (`by="day"`); `duration_s` is test time, summed.

    Raises ValueError for another `by` or `group`.
    """
    if by not in ("run", "day") or group not in (None, *GROUPS):
        raise ValueError(f"by is run or day, group one of {', '.join(GROUPS)}")
    where, parameters = conditions(flt, "r")
    part = ""
    for name in ("module", "topology"):
        if getattr(flt, name) is not None:
            part += f" AND c.{name} = ${name}"
            parameters[name] = getattr(flt, name)
    name = {"module": "c.module", "topology": "c.topology"}.get(group or "", f"n.{group}" if group else "'all'")
    if by == "run":
        point = "n.run, n.number, n.release, n.version, n.environment, n.started_at"
    else:
        point = "date_trunc('day', n.started_at) AS day"
    rows = store.rows(
        f"""WITH newest AS (
            SELECT * FROM runs r WHERE {where}
            QUALIFY row_number() OVER (PARTITION BY release ORDER BY started_at DESC, run DESC) <= $runs)
        SELECT {name} AS name, {point}, {sums("c")}, sum(c.duration_s) AS duration_s, count(DISTINCT n.run) AS runs
        FROM newest n LEFT JOIN run_builds rb USING (run) LEFT JOIN build_counts c ON c.build = rb.build{part}
        GROUP BY ALL ORDER BY name, {"n.started_at, n.run" if by == "run" else "day"}""",
        parameters | {"runs": flt.runs or DEFAULT_RUNS},
    )
    series: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["name"] is None or ((flt.module or flt.topology) and not row["total"]):
            continue  # a run in which the part did not run is a gap, not a zero
        series.setdefault(row.pop("name"), []).append(_point(row, store))
    return {"series": [{"name": key, "points": points} for key, points in series.items()]}


def _point(row: dict[str, Any], store: Store) -> dict[str, Any]:
    row["pass_rate"] = pass_rate(row, store.settings.measures)
    if "run" in row:
        row["run"] = ids.text(row["run"])
        row["started_at"] = iso(row["started_at"])
    else:
        row["day"] = row["day"].date().isoformat()
    return row
