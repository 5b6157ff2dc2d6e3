"""Hooks: a set-up and a tear-down that fail, a skipped scenario, and behave's own retry."""

from behave.contrib.scenario_autoretry import patch_scenario_with_autoretry


def before_feature(context, feature):
    for scenario in feature.walk_scenarios():
        if "autoretry" in scenario.effective_tags:
            patch_scenario_with_autoretry(scenario, max_attempts=2)


def before_scenario(context, scenario):
    if "skip" in scenario.effective_tags:
        scenario.skip("not on this machine")
    if "broken_setup" in scenario.effective_tags:
        raise RuntimeError("set-up failed")


def after_scenario(context, scenario):
    if "broken_teardown" in scenario.effective_tags:
        raise RuntimeError("tear-down failed")
