"""The terms that screens explain: definitions, and the headings of docs/verdicts.md with the rules."""

from __future__ import annotations

from typing import NamedTuple

PAGE = "/docs/verdicts"


class Term(NamedTuple):
    heading: str  # in docs/verdicts.md
    definition: str

    @property
    def label(self) -> str:
        """The term in running text."""
        return self.heading.lower()


TERMS = {
    "regression": Term("Regression", "Failed in its last two or more runs, after passing."),
    "new_failure": Term("New failure", "Failed in its last run, after passing in the run before."),
    "always_failing": Term("Always failing", "Failed in every recent run."),
    "flaky": Term("Flaky", "Failed and recovered, or both failed and passed in one run or on one commit."),
    "fixed": Term("Fixed", "Passed in its last run, after failing in the run before."),
    "first_bad_run": Term("First bad run", "The failure rate changed between these runs, with 99 % probability."),
    "suspects": Term("Suspects", "The commits between good and bad, each with the probability that it broke the test."),
    "storm": Term("Mass failure", "Most tests of a build or module failed at once: not counted against single tests."),
    "sick_host": Term("Bad host", "A host where tests fail far more often than on other hosts."),
    "duration": Term("Duration", "The test has become slower or faster, and stays so."),
    "failure_pattern": Term("Failure pattern", "A message without its numbers, addresses and ids."),
    "comparison": Term("Comparison", "Each changed or failing test is in one of eight classes."),
    "exclude_flaky": Term("Exclude flaky", "Leaves out results of tests that are flaky and have no worse verdict."),
}


def anchor(heading: str) -> str:
    """The fragment of a heading in the documentation."""
    return "-".join("".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -").split())


def definition(name: str) -> str:
    return TERMS[name].definition


def term_label(name: str) -> str:
    return TERMS[name].label


def term_link(name: str) -> str:
    return f"{PAGE}#{anchor(TERMS[name].heading)}"


FUNCTIONS = {"definition": definition, "term_label": term_label, "term_link": term_link}
