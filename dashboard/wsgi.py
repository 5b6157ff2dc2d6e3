"""The production server: gunicorn with threads, or waitress on Windows.

Each worker creates the application after the fork, because DuckDB does not survive a fork.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from typing import Any

from flask import Flask

from dashboard.app import create_app
from dashboard.static_files import ASSETS, ROOT
from data.lake.connection import StoreError
from data.settings import Settings

log = logging.getLogger("regtracker.web")


def serve(
    settings: Settings,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    threads: int | None = None,
    dev: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM; None means the configured value. `dev`: one worker that reloads on changes."""
    host, port = host or settings.web.host, settings.web.port if port is None else port
    settings = settings.model_copy(update={"web": settings.web.model_copy(update={"host": host})})
    workers, threads = workers or settings.web.workers, threads or settings.web.threads
    if sys.platform == "win32":
        import waitress

        waitress.serve(create_app(settings).server, host=host, port=port, threads=threads, ident=None)
        return
    options: dict[str, Any] = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": 1 if dev else workers,
        "threads": threads,
        "worker_class": "dashboard.buffering_worker.BufferingWorker",
        "graceful_timeout": 5,
        "timeout": 120,
        "keepalive": 30,
        "limit_request_line": 8190,  # a search for 500 characters, percent-encoded, is 6000 bytes
        "loglevel": "warning",
        "post_worker_init": _open_store,
        "worker_exit": _exit_worker,
    }
    if dev:
        sources = [*ASSETS.glob("*.*"), *(ROOT / "dashboard" / "templates").glob("*.html")]
        options |= {"reload": True, "reload_extra_files": [str(file) for file in sources], "loglevel": "info"}
    _gunicorn(settings, options)


def _open_store(worker: Any) -> None:
    """Open the store before the first request: a large one takes a second."""
    services = worker.wsgi.extensions["regtracker"]

    def open_and_freeze() -> None:
        try:
            services.store.state()
        except StoreError as error:  # each request tries again
            log.error("the store cannot be opened: %s", error)
        # These objects live as long as the process: collecting garbage among them delayed requests by 0.2 s.
        gc.collect()
        gc.freeze()

    threading.Thread(target=open_and_freeze, daemon=True).start()


def _exit_worker(server: Any, worker: Any) -> None:
    """Exit without finalizing the interpreter: DuckDB's threads may use freed memory meanwhile (SIGSEGV)."""
    if not worker.booted:
        return  # gunicorn reports it by its exit code
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _gunicorn(settings: Settings, options: dict[str, Any]) -> None:
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):
        def load_config(self) -> None:
            assert self.cfg is not None
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Flask:
            return create_app(settings).server

    Server().run()
