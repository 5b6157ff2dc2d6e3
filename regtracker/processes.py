"""Child processes of the demo, `up` and the benchmark: they start and end together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import IO

import click
import psutil
import requests


class Children:
    """Child processes that end together with the block that started them."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Children:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        for process in self._running.values():
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
            if process.stdout:
                process.stdout.close()

    def start(
        self, name: str, *arguments: str, read: bool = False, environment: dict[str, str] | None = None
    ) -> IO[str] | None:
        """Start `regtracker ARGUMENTS`; with `read`, return its standard output."""
        process = subprocess.Popen(
            [sys.executable, "-m", "regtracker", *arguments],
            stdout=subprocess.PIPE if read else None,
            text=True,
            env=os.environ | (environment or {}),
        )
        self._running[name] = process
        return process.stdout

    def stop(self, name: str) -> None:
        process = self._running.pop(name)
        process.terminate()
        process.wait(timeout=15)
        if process.stdout:
            process.stdout.close()

    def memory_mb(self, name: str) -> float:
        """Memory of a process and its children; shared pages count once where the system reports it (Linux)."""
        parent = psutil.Process(self._running[name].pid)
        held = [process.memory_full_info() for process in (parent, *parent.children(recursive=True))]
        return sum(getattr(memory, "pss", memory.rss) for memory in held) / 1e6

    def check(self) -> None:
        """Raise ClickException if one of them has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise click.ClickException(
                    f"The {name} process ended with exit code {process.returncode}; see its output above."
                )

    def wait(self) -> None:
        try:
            while True:
                self.check()
                time.sleep(0.5)
        except KeyboardInterrupt:
            click.echo("Stopping ...")


def wait_ready(children: Children, url: str, patience_s: float = 300) -> None:
    """Wait until the URL answers 200. Raises ClickException if a child ends or `patience_s` is over; a busy machine may
    need minutes for what otherwise takes seconds."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        children.check()
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    raise click.ClickException(f"{url} was not ready after {patience_s:.0f} s.")


def is_listening(port: int) -> bool:
    """Whether something listens on this port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
