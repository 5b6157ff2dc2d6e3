"""The situations that nose2 has: those of unittest, and parameters."""

import signal
import time
import unittest
from pathlib import Path

from nose2.tools import params

HOSTILE = Path("hostile.txt").read_text(encoding="utf-8")


def raise_timeout(*_):
    raise TimeoutError("0.3 seconds")


class Situations(unittest.TestCase):
    def test_aaa_hostile(self):
        self.fail(HOSTILE)

    def test_pass(self):
        pass

    def test_fail(self):
        self.assertEqual(1, 2)

    def test_error(self):
        raise RuntimeError("not an assertion")

    @unittest.skip("not on this machine")
    def test_skip(self):
        pass

    @params(1, 2)
    def test_twins(self, number):
        self.assertEqual(number, 2)

    def test_timeout(self):
        signal.signal(signal.SIGALRM, raise_timeout)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        time.sleep(30)


class BrokenSetUp(unittest.TestCase):
    def setUp(self):
        raise RuntimeError("set-up failed")

    def test_setup(self):
        pass


class BrokenSetUpClass(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise RuntimeError("set-up of the class failed")

    def test_setup(self):
        pass


class BrokenTearDown(unittest.TestCase):
    def tearDown(self):
        raise RuntimeError("tear-down failed")

    def test_teardown(self):
        pass


class BrokenTearDownClass(unittest.TestCase):
    @classmethod
    def tearDownClass(cls):
        raise RuntimeError("tear-down of the class failed")

    def test_teardown(self):
        pass
