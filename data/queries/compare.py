"""Two runs side by side: every test falls into exactly one of seven classes, or passed in both."""

from __future__ import annotations

from typing import Any

from data import ids
from data.cache import question
from data.filters import EVERYTHING, Filter
from data.measures import deltas
from data.queries.runs import of_run, run
from data.store import Store

# KernelCI's seven classes (docs/tree-compare.md of its dashboard): exhaustive and exclusive, steady passes left out.
CLASSES = ("regression", "new_failure", "still_failing", "fixed", "new_pass", "appeared", "disappeared")
_RULES = """CASE
    WHEN b.status IS NULL AND c.status = 'failed' THEN 'new_failure'
    WHEN b.status IS NULL AND c.status = 'passed' THEN 'new_pass'
    WHEN b.status IS NULL THEN 'appeared'
    WHEN c.status IS NULL THEN 'disappeared'
    WHEN c.status = 'failed' AND b.status = 'failed' THEN 'still_failing'
    WHEN c.status = 'failed' AND b.status = 'passed' THEN 'regression'
    WHEN c.status = 'failed' THEN 'new_failure'
    WHEN c.status = 'passed' AND b.status = 'failed' THEN 'fixed'
    WHEN c.status = 'passed' AND b.status = 'skipped' THEN 'new_pass'
    END"""


@question
def compare(
    store: Store, base: str, candidate: str, flt: Filter = EVERYTHING, limit: int = 1000
) -> dict[str, Any] | None:
    """{"base", "candidate" (runs), "delta", "counts" by class, "classes": {class: [tests with both statuses]}}.

    regression: passed -> failed; new_failure: failed, and absent or skipped before; fixed: failed -> passed; new_pass:
    passed, and absent or skipped before; appeared: skipped, absent before; disappeared: absent now. Each class lists at
    most `limit` tests. None where a run is unknown.
    """
    runs = run(store, base, flt), run(store, candidate, flt)
    if runs[0] is None or runs[1] is None:
        return None
    statuses, parameters = [], {}
    for side, run_id in (("b", base), ("c", candidate)):
        where, own = of_run(store, run_id, flt)
        for name in sorted(own, key=len, reverse=True):
            where = where.replace(f"${name}", f"${side}_{name}")
            parameters[f"{side}_{name}"] = own[name]
        statuses.append(
            f"SELECT r.test, min(r.status) AS status, any_value(r.module) AS module FROM results r "
            f"WHERE r.is_final AND {where} GROUP BY r.test"
        )
    rows = store.rows(
        f"""WITH b AS ({statuses[0]}), c AS ({statuses[1]}),
        classed AS (
            SELECT test, coalesce(c.module, b.module) AS module, b.status AS before, c.status AS after,
                {_RULES} AS class
            FROM b FULL JOIN c USING (test))
        SELECT k.*, t.file, t.class AS class_name, t.name, count(*) OVER (PARTITION BY k.class) AS size
        FROM classed k JOIN tests t USING (test) WHERE k.class IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY k.class ORDER BY k.module, t.file, t.class, t.name) <= $limit
        ORDER BY k.module, t.file, t.class, t.name""",
        parameters | {"limit": limit},
    )
    classes: dict[str, list[dict[str, Any]]] = {name: [] for name in CLASSES}
    counts = dict.fromkeys(CLASSES, 0)
    for row in rows:
        counts[row["class"]] = row["size"]
        classes[row["class"]].append(
            {
                "test": ids.text(row["test"]),
                "key": f"{row['file']}::{row['class_name']}::{row['name']}",
                "name": row["name"],
                "module": row["module"],
                "before": row["before"],
                "after": row["after"],
            }
        )
    return {
        "base": runs[0],
        "candidate": runs[1],
        "delta": deltas(runs[1], runs[0]),
        "counts": counts,
        "classes": classes,
    }
