"""The console log of a build, in the bytes of its file: console notes, colour codes, growing while the build runs."""

from __future__ import annotations

import base64
import re

from ingest.simulator.jenkins_items import JenkinsBuild

_NOTE = "\x1b[8mha:////4" + base64.b64encode(b"\x1f\x8b\x08 a serialised hyperlink note \x00\x01").decode() + "\x1b[0m"
_ANY_NOTE = re.compile(rb"\x1b\[8mha:.*?\x1b\[0m")


def raw_log(build: JenkinsBuild, now: float) -> bytes:
    if build.upstream:
        cause = f'{_NOTE}Started by upstream project "{build.upstream.job}" build number {build.upstream.number}\n'
    else:
        cause = f"{_NOTE}Started by timer\n"
    end = "" if build.building(now) else f"Finished: {build.outcome()}\n"
    return f"{cause}{build.console(now)}{end}".encode()


def text(build: JenkinsBuild, now: float) -> bytes:
    """`consoleText`: without the notes, with the colours."""
    return _ANY_NOTE.sub(b"", raw_log(build, now))


def progressive(build: JenkinsBuild, now: float, start: int) -> tuple[bytes, int, bool]:
    """`logText/progressiveText`: (body from raw byte `start` on, next start, whether more may come).

    Line ends of the body are normalised, so its length says nothing about the next start. A start beyond the end
    is 0, as if the log had been rotated.
    """
    raw = raw_log(build, now)
    if start > len(raw):
        start = 0
    return raw[start:].replace(b"\n", b"\r\n"), len(raw), build.building(now)
