"""The test metadata of the simulated product: the CSV that a team would export from its test management."""

from __future__ import annotations

import csv
import io
from random import Random

from ingest.simulator.product_tests import ProductTest
from ingest.simulator.programme import Programme

COLUMNS = (
    "file",
    "class",
    "testcase_name",
    "test_case_id",
    "priority",
    "testrail_id",
    "component",
    "automation_status",
)
PRIORITIES, WEIGHTS = ("P0", "P1", "P2", "P3", ""), (10, 25, 40, 20, 5)  # some were never given one


def metadata_csv(programme: Programme) -> str:
    """One row per test function, without its parameters; the same for the same seed."""
    rng = Random(f"{programme.seed}:metadata")
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    owners = {test_function(test): test.owner for module in programme.modules for test in module.tests}
    for function, number in case_numbers(programme).items():
        priority, owner = rng.choices(PRIORITIES, WEIGHTS)[0], owners[function]
        rows.writerow([*function, f"TC-{1000 + number}", priority, f"C{20000 + number}", owner, "Automated"])
    return out.getvalue()


def case_numbers(programme: Programme) -> dict[tuple[str, str, str], int]:
    """By test function: the number in its ids."""
    functions = {test_function(test) for module in programme.modules for test in module.tests}
    return {function: number for number, function in enumerate(sorted(functions), 1)}


def test_function(test: ProductTest) -> tuple[str, str, str]:
    """File, class and name without parameters."""
    return test.file, test.class_name, test.name.partition("[")[0]
