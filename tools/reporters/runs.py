"""Install reporters from the package registries, run them, and keep their files as fixtures."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

from reporters.catalog import FIXTURES, FOLDER, VERSIONS, Reporter, versions

LIMIT_S = 300  # of one command
AGENT_HOME = "/home/jenkins"  # instead of the cache folder
AGENT = "agent-1"  # instead of the name of this machine
HOSTILE = '<b>bold</b> & "quotes" ]]> \x1b[31mred\x1b[0m \x01\x08\x7f 😀 é 中 ' + "x" * 5000 + " end"

# Maven and Ant write down the properties of the machine.
_PROPERTIES = re.compile(rb"<properties>.*?</properties>\s*|<property name=[^>]*/>\s*", re.DOTALL)
_MACHINE = re.compile(
    b"|".join([b"/tmp/", b"/var/tmp", *(re.escape(str(folder).encode()) + rb"\b" for folder in (Path.home(), FOLDER))])
)


class ReporterError(Exception):
    """A reporter could not be installed, or wrote no file; the text says why."""


def install(chosen: Iterable[Reporter], cache: Path, *, with_apt: bool) -> None:
    """Install what the reporters use: pip and npm packages into `cache`, Debian packages only if `with_apt`."""
    packages: dict[str, list[str]] = {"pip": [], "npm": [], "apt": [], "tool": []}
    for reporter in chosen:
        for use in reporter.uses:
            registry, _, package = use.partition(":")
            packages[registry].append(package)
    if packages["pip"]:
        if not (cache / "python").exists():
            _run(["python3", "-m", "venv", str(cache / "python")], cache)
        _run([str(cache / "python/bin/pip"), "install", "--quiet", *sorted({*packages["pip"]})], cache)
    if packages["npm"]:
        (cache / "node").mkdir(parents=True, exist_ok=True)
        (cache / "node/package.json").touch()
        if not (cache / "node/package.json").read_text():
            (cache / "node/package.json").write_text("{}")
        npm = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(cache / "node")]
        _run([*npm, *sorted({*packages["npm"]})], cache)
    missing = [package for package in sorted({*packages["apt"]}) if not _apt_version(package)]
    if missing and not with_apt:
        raise ReporterError(f"Debian packages are missing: apt-get install {' '.join(missing)}; or use --apt")
    if missing:
        _run(["apt-get", "install", "--yes", "--no-install-recommends", *missing], cache)


def run(reporter: Reporter, cache: Path) -> list[Path]:
    """Run a reporter in a copy of its suite, replace its fixture and its recorded versions; returns the files."""
    folder = cache / "workspace" / reporter.name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(FOLDER / "suites" / reporter.suite, folder)
    (folder / "hostile.txt").write_text(HOSTILE, encoding="utf-8")
    if any(use.startswith("npm:") for use in reporter.uses):
        (folder / "node_modules").symlink_to(cache / "node/node_modules")
    path = [str(cache / "python/bin"), str(cache / "node/node_modules/.bin"), os.environ["PATH"]]
    environment = {
        "PATH": ":".join(path), "HOME": str(cache / "home"), "RUSTUP_HOME": str(Path.home() / ".rustup"),
        "LANG": "C.UTF-8", "TZ": "UTC", "CI": "true",
    }  # fmt: skip
    (cache / "home").mkdir(exist_ok=True)
    log = "".join(
        subprocess.run(
            ["timeout", str(LIMIT_S), "bash", "-c", command],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        ).stdout.decode("utf-8", "replace")
        for command in reporter.run
    )  # fmt: skip
    files = sorted({file for glob in reporter.keep for file in folder.glob(glob) if file.stat().st_size})
    if not files:
        raise ReporterError(f"{reporter.name} wrote none of {', '.join(reporter.keep)}:\n{log[-2000:]}")
    shutil.rmtree(FIXTURES / reporter.name, ignore_errors=True)
    for file in files:
        kept = FIXTURES / reporter.name / file.relative_to(folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(scrubbed(file.read_bytes(), cache))
    _record_versions(reporter, cache)
    return files


def scrubbed(content: bytes, cache: Path) -> bytes:
    """The file without the paths, the name and the properties of this machine. Raises ReporterError if one is left."""
    content = _PROPERTIES.sub(b"", content)
    content = content.replace(str(cache).encode(), AGENT_HOME.encode())
    content = re.sub(rb"\b" + re.escape(socket.gethostname().encode()) + rb"\b", AGENT.encode(), content)
    if found := _MACHINE.search(content):
        start = max(found.start() - 60, 0)
        raise ReporterError(f"a path of this machine is left: {content[start : found.end() + 60]!r}")
    return content


def _record_versions(reporter: Reporter, cache: Path) -> None:
    everything = versions() | {reporter.name: {use: _version(use, cache) for use in reporter.uses}}
    lines = ["# What wrote the fixtures; tools/real_reporters.py writes this file."]
    for name in sorted(everything):
        lines += ["", f"[{name}]", *(f'"{use}" = "{version}"' for use, version in everything[name].items())]
    VERSIONS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _version(use: str, cache: Path) -> str:
    registry, _, package = use.partition(":")
    if registry == "apt":
        return _apt_version(package)
    if registry == "npm":
        name = package[:1] + package[1:].partition("@")[0]
        manifest = cache / "node/node_modules" / name / "package.json"
        return str(json.loads(manifest.read_text(encoding="utf-8"))["version"])
    if registry == "pip":
        shown = _run([str(cache / "python/bin/pip"), "show", package], cache)
        return shown.partition("Version: ")[2].partition("\n")[0]
    return _run([package, "--version"], cache).split()[1]


def _apt_version(package: str) -> str:
    """The installed version of a Debian package, "" if there is none."""
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", package]
    status, _, version = subprocess.run(command, capture_output=True, text=True, check=False).stdout.partition(" ")
    return version if status == "installed" else ""


def _run(command: list[str], folder: Path) -> str:
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise ReporterError(f"{' '.join(command)}: {answer.stderr[-1000:] or answer.stdout[-1000:]}")
    return answer.stdout
