"""Schemathesis reads the OpenAPI document and tries to prove it wrong, on the real application and a real store.

A few examples per operation with a fixed seed run with the suite; docs/api.md explains longer runs. Its own
pytest fixtures do not know pytest 9 yet, so the operations are gone through here.
"""

from __future__ import annotations

import os
import shutil

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

USUAL = 4  # examples an operation
EXAMPLES = int(os.environ.get("REGTRACKER_SCHEMATHESIS_EXAMPLES", USUAL))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def api(filled, serve, tmp_path_factory):
    """On a separate store: other tests must not see what is written here."""
    home = tmp_path_factory.mktemp("schemathesis") / "home"
    shutil.copytree(filled.store.settings.home, home)
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", serve(home))


def test_every_answer_is_documented(api):
    """Try all operations and report every failure."""
    wrong = []
    for found in api.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            derandomize=EXAMPLES == USUAL,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def hold(case):
            # Over WSGI nothing would unpack what is compressed.
            case.call_and_validate(checks=CHECKS, headers={"Accept-Encoding": "identity"})

        try:
            hold()
        except FailureGroup as failure:
            wrong.append(f"{operation.label}: {failure.exceptions}")
    assert not wrong, "\n".join(wrong)
