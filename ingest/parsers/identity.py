"""The file and class of a test, the same on every machine and in every checkout."""

from __future__ import annotations

import re
from functools import lru_cache

_EXTENSION = re.compile(r"\.\w+$")
_WORKSPACE = re.compile(r"^(?:[A-Za-z]:)?/(?:.*?/)?workspace/")


@lru_cache(4096)
def dotted(file: str) -> str:
    """`pkg/mod_test.py` as Python would import it: `pkg.mod_test`."""
    return _EXTENSION.sub("", file).replace("/", ".")


@lru_cache(1 << 17)
def identified(file: str, class_name: str, name: str) -> tuple[str, str, str]:
    """(file, class, name) as one object for all builds: a test that occurs again costs one lookup."""
    return *identify(file, class_name), name


def identify(file: str, class_name: str) -> tuple[str, str]:
    """(file, class) without what differs between machines.

    The file's dotted path that pytest puts in front of the class is removed. An absolute path is cut to the part below
    the workspace, without the "@2" that Jenkins adds to a second checkout.
    """
    file = file.replace("\\", "/").removeprefix("./")
    if found := _WORKSPACE.match(file):
        file = re.sub(r"@\d+(?=/)", "", file[found.end() :])
    module = dotted(file)
    if file and class_name == module:
        return file, ""
    if file and class_name.startswith(module + "."):
        return file, class_name[len(module) + 1 :]
    return file, class_name
