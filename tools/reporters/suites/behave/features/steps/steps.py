"""The steps of situations.feature."""

from pathlib import Path

from behave import then


@then("it fails with hostile text")
def fail_with_hostile_text(context):
    raise AssertionError(Path("hostile.txt").read_text(encoding="utf-8"))


@then("it passes")
def succeed(context):
    pass


@then("it fails")
def fail(context):
    raise AssertionError("expected")


@then("it raises an error")
def raise_error(context):
    raise RuntimeError("not an assertion")


@then("it fails the first time")
def fail_the_first_time(context):
    marker = Path("retried")
    first = not marker.exists()
    marker.touch()
    assert not first, "fails the first time"


@then("{number:d} is 2")
def is_two(context, number):
    assert number == 2
