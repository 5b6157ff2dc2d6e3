"""The ten situations, with pytest, pytest-rerunfailures and pytest-timeout."""

import time
from pathlib import Path

import pytest

HOSTILE = Path("hostile.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ['hostile <b>&"]]> 😀 #1'])
def test_hostile(text):
    raise AssertionError(HOSTILE)


def test_pass():
    assert True


def test_fail():
    assert 1 == 2


def test_error():
    raise RuntimeError("not an assertion")


@pytest.mark.skip(reason="not on this machine")
def test_skip():
    raise AssertionError


@pytest.mark.flaky(reruns=1)
def test_retry():
    marker = Path("retried")
    first = not marker.exists()
    marker.touch()
    assert not first, "fails the first time"


@pytest.mark.parametrize("number", [1, 2])
def test_twins(number):
    assert number == 2


@pytest.fixture
def broken_setup():
    raise RuntimeError("set-up failed")


def test_setup(broken_setup):
    pass


@pytest.fixture
def broken_teardown():
    yield
    raise RuntimeError("tear-down failed")


def test_teardown(broken_teardown):
    pass


@pytest.mark.timeout(0.3)
def test_timeout():
    time.sleep(30)
