"""Options that the API commands share, and the API client that they configure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from data.cli import completion
from data.cli.common import fail, load_settings, require_store

if TYPE_CHECKING:
    from dashboard.api_client import Api

URL = click.option("--url", envvar="REGTRACKER_URL", help="URL of a server; default: the store of this machine.")
RELEASE = click.option("--release", help="Release line, such as 7.0.", shell_complete=completion.releases)
ENVIRONMENT = click.option(
    "--environment", help="Tested environment, such as prod.", shell_complete=completion.environments
)
MODULE = click.option("--module", help="Owning module.", shell_complete=completion.modules)


@contextmanager
def api_from_options(url: str | None) -> Iterator[Api]:
    """The API client; errors end the command with their message and exit code 2."""
    from dashboard.api_client import ApiError, api_at, api_in_process

    try:
        if url is not None:
            yield api_at(url)
        else:
            with api_in_process(require_store(load_settings())) as api:
                yield api
    except (ApiError, ValueError) as error:
        fail(error)
