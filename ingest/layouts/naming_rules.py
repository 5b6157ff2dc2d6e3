"""The patterns of a source: release, version, environment and module from names, parameters and paths in Jenkins."""

from __future__ import annotations

import re
from functools import lru_cache

from data.settings import SourceSettings

UNKNOWN = "unknown"  # the release of a build that matches no rule


class NamingRules:
    """The compiled patterns of one source. A method returns None if its pattern does not match."""

    def __init__(self, source: SourceSettings) -> None:
        self.source = source
        self._module = re.compile(source.module)
        self._version = re.compile(source.version)
        self._release = re.compile(source.release)
        self._owner = re.compile(source.owner) if source.owner else None
        self.owner = lru_cache(1 << 16)(self._owner_of)

    def version(self, display_name: str, parameters: dict[str, str]) -> str | None:
        for text in (display_name, *parameters.values()):
            if found := self._version.search(text):
                return found["version"]
        return None

    def release(self, version: str | None) -> str | None:
        if self.source.release_fixed is not None:
            return self.source.release_fixed
        found = self._release.search(version) if version else None
        return found["release"] if found else None

    def environment(self, parameters: dict[str, str]) -> str:
        return self.source.environment.of(parameters)

    def names_environment(self, parameters: dict[str, str]) -> bool:
        return bool(parameters.get(self.source.environment.parameter))

    def module(self, job_name: str) -> str:
        """The module of a job: the part of its name that the pattern matches, in lower case with underscores."""
        found = self._module.search(job_name)
        return module_name(found["module"] if found and found["module"] else job_name)

    def _owner_of(self, file: str, job_module: str) -> str:
        found = self._owner.search(file) if self._owner and file else None
        return module_name(found["module"]) if found and found["module"] else job_module


def module_name(text: str) -> str:
    return text.lower().replace("-", "_")


@lru_cache(1 << 16)
def base_name(name: str) -> str:
    """A test's name without its parameters: `test_flap[5-site]` and `test_flap[3-site]` share one."""
    return name.partition("[")[0] or name
