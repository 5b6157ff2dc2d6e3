"""The product's words at hand: one sentence each, and where docs/verdicts.md says it whole."""

from __future__ import annotations

PAGE = "/docs/verdicts"
# word -> (its heading in docs/verdicts.md, the rule in a sentence)
TERMS = {
    "regression": ("Regression", "It failed in its last two runs or more, after passing."),
    "new_failure": ("New failure", "It failed in its last run, after passing in the run before."),
    "always_failing": ("Always failing", "It failed in every one of the last runs in which it ran."),
    "flaky": ("Flaky", "It failed and recovered, or both failed and passed in one run or on one commit."),
    "fixed": ("Fixed", "It passed in its last run, after failing in the run before."),
    "first_bad_run": ("First bad run", "Its failure rate changed within these runs, with 99 % probability."),
    "suspects": ("Suspects", "The commits between good and bad, each with the probability that it broke the test."),
    "storm": ("Storm", "A build, or a module in it, that failed as a whole: it says nothing of any one test."),
    "sick_host": ("Sick host", "A host on which far more fails than the same tests fail elsewhere."),
    "duration": ("Duration", "It takes lastingly longer, or shorter, than before."),
    "failure_pattern": ("Failure pattern", "A message with its numbers, addresses and ids taken out."),
    "comparison": ("Comparison", "Every test that differs between two runs stands in one of seven classes."),
    "exclude_flaky": ("Exclude flaky", "Without the results of tests that are flaky now, and nothing worse."),
}


def anchor(heading: str) -> str:
    """The fragment that leads to a heading of a page of docs/."""
    return "-".join("".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -").split())


def definition(word: str) -> str:
    return TERMS[word][1]


def term_link(word: str) -> str:
    return f"{PAGE}#{anchor(TERMS[word][0])}"


FUNCTIONS = {"definition": definition, "term_link": term_link}
