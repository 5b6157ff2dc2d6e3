"""Servers that tests start as processes of their own."""

from __future__ import annotations

import os
import random
import socket
import subprocess

from support.fake_server import eventually

# Below the range from which systems give ports to programs that bind to port 0 or connect: only tests take these.
_PORTS = range(20_000, 32_000)
_choice = random.Random(os.getpid())


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    while True:
        port = _choice.choice(_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_listening(port: int, process: subprocess.Popen) -> None:
    def listening() -> bool:
        assert process.poll() is None, f"the process ended with code {process.returncode}"
        return is_listening(port)

    eventually(listening)
