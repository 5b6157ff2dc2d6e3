"""A PostgreSQL server of a test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.processes import free_port


@contextmanager
def postgres_server(password: str = "") -> Iterator[int]:
    """The port of a server whose user is `tracker`; it asks for the password, if there is one. Skips the test where
    PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, found), os.environ["PATH"]])
    initdb, postgres = (shutil.which(name, path=path) for name in ("initdb", "postgres"))
    if not initdb or not postgres:
        pytest.skip("PostgreSQL is not installed: the tests of a catalog in it are skipped")
    # The server refuses to run as root.
    other = {"user": "nobody"} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        secret = Path(folder) / "password"
        secret.write_text(password or "unused")
        for owned in (folder, secret) if other else ():
            shutil.chown(owned, "nobody")
        home = f"{folder}/data"
        auth = ["--auth=scram-sha-256", f"--pwfile={secret}"] if password else ["--auth=trust"]
        subprocess.run([initdb, "-D", home, "-U", "tracker", "-N", *auth], check=True, capture_output=True, **other)
        ready = threading.Event()
        server = subprocess.Popen(
            [postgres, "-D", home, "-p", str(port), "-k", folder],
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            **other,
        )

        def listen() -> None:
            for line in server.stderr:
                if "ready to accept connections" in line:
                    ready.set()

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            assert ready.wait(30), "PostgreSQL did not start"
            yield port
        finally:
            server.terminate()
            server.wait(30)
            listener.join()
            server.stderr.close()
