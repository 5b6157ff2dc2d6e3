"""Subtests of pytest 9 and of unittest.TestCase, run by pytest."""

import unittest

import pytest


def test_pass(subtests):
    for number in (1, 2):
        with subtests.test("whole number", number=number):
            assert number > 0


def test_twins(subtests):
    for number in (1, 2):
        with subtests.test("twin", number=number):
            assert number == 2


def test_skip(subtests):
    with subtests.test("skipped"):
        pytest.skip("not on this machine")


class TestCases(unittest.TestCase):
    def test_twins(self):
        for number in (1, 2):
            with self.subTest(number=number):
                self.assertEqual(number, 2)
