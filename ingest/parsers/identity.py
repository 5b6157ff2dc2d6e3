"""The file and class of a test, such that they stay the same wherever and however often it ran."""

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
    """(file, class, name) as one object for all builds: a test comes again in each, and costs one lookup there."""
    return *identify(file, class_name), name


def identify(file: str, class_name: str) -> tuple[str, str]:
    """(file, class) that stay the same wherever the test ran.

    pytest writes the class behind the file's dotted path, which is taken off. An absolute path loses what leads to the
    workspace, and the "@2" that Jenkins gives a second checkout.
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
