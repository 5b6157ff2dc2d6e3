"""What the store has after an import of the fixtures through the commands that users run, and what is read of one."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner

from ingest.build_results import read_build
from ingest.report_files import reports
from ingest.report_inputs import ReportInput
from regtracker import main
from reporters.catalog import FIXTURES, StoredTest

# Of the message of the failure with hostile text. Control characters are left out: XML has none.
HOSTILE_TEXTS = ('<b>bold</b> & "quotes" ]]>', "red", "😀 é 中", "xxx", " end")

_RESULTS = """
SELECT builds.module, tests.file, tests.class, tests.name, results.topology,
    list(coalesce(if(results.kind = 'error', 'error', NULL), results.status) ORDER BY results.attempt) AS outcomes,
    string_agg(concat_ws(' ', failures.message, failures.trace, failures.output), ' ') AS text
FROM results
JOIN builds ON builds.build = results.build
JOIN tests ON tests.test = results.test
LEFT JOIN failures ON failures.build = results.build AND failures.test = results.test
    AND failures.topology = results.topology AND failures.attempt = results.attempt
GROUP BY ALL
ORDER BY ALL
"""


@dataclass
class StoredBuild:
    """`texts`: everything that is kept of the failures of a test, by its name."""

    tests: list[StoredTest] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def differences(self, wanted: Iterable[StoredTest]) -> list[str]:
        """A line for each wanted test that is missing and for each stored one that is not wanted."""
        missing, unwanted = Counter(wanted), Counter(self.tests)
        return sorted(
            [f"missing {test}" for test in (missing - unwanted).elements()]
            + [f"stored  {test}" for test in (unwanted - missing).elements()]
        )


def read(name: str) -> StoredBuild:
    """What ingest reads of one fixture: what the store would have, without a store."""
    build = StoredBuild()
    with reports([FIXTURES / name]) as bundle:
        results = read_build(ReportInput(file.path, None, file.open) for file in bundle.files)
    build.warnings = [str(warning) for warning in results.warnings]
    outcomes: list[str] = []
    for case in results.cases:
        outcomes.append("error" if case.kind == "error" else case.status)
        texts = filter(None, (build.texts.get(case.name), case.message, case.trace, case.output))
        build.texts[case.name] = " ".join(texts)
        if case.is_final:
            build.tests.append(StoredTest(case.file, case.class_name, case.name, tuple(outcomes)))
            outcomes = []
    return build


def stored(names: Iterable[str], folder: Path) -> dict[str, StoredBuild]:
    """Import the fixtures of these reporters, each as a module, into a store in an empty folder, and read it.

    Raises RuntimeError if a command fails.
    """
    for name in names:
        build = folder / "reports" / "1.0" / name / "1"
        shutil.copytree(FIXTURES / name, build)
        (build / "junit").mkdir()  # by which `import` knows the layout RELEASE/MODULE/NUMBER
    (folder / "none.toml").touch()
    environment = {"REGTRACKER_HOME": str(folder / "home"), "REGTRACKER_CONFIG": str(folder / "none.toml")}
    found: dict[str, StoredBuild] = defaultdict(StoredBuild)
    for line in _regtracker(environment, "import", "--json", str(folder / "reports")).splitlines():
        answer = json.loads(line)
        if "module" in answer:
            found[answer["module"]].warnings += answer["warnings"]
        else:
            name = Path(answer["paths"][0]).relative_to(folder / "reports").parts[1]
            found[name].warnings.append(answer.get("error") or answer["skipped_because"])
    table = json.loads(_regtracker(environment, "sql", "--json", "--limit", "10000", _RESULTS))
    for row in table["rows"]:
        module, file, class_name, name, _, outcomes, text = row
        found[module].tests.append(StoredTest(file, class_name, name, tuple(outcomes)))
        found[module].texts[name] = text or ""
    return dict(found)


def _regtracker(environment: dict[str, str], *arguments: str) -> str:
    answer = CliRunner().invoke(main, list(arguments), env=environment, catch_exceptions=False)
    if answer.exit_code == 2:
        raise RuntimeError(f"regtracker {arguments[0]}: {answer.stderr}")
    return answer.stdout
