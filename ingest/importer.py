"""Results without a Jenkins: files, folders and zips from a disk, or uploaded by any CI.

The same files under the same key are the same build, however often they come: the start time, which is part of a
build's identity, is taken from the reports themselves.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.lake.store import Store
from data.model import filters, ids
from data.model.build_record import BuildRecord, RawFile
from data.model.run_record import RunRecord
from data.work.build_lookups import builds_of_job
from data.write import raw_files
from data.write.builds import upsert_builds
from ingest.build_results import BuildResults, ReportInput, read_build
from ingest.build_rows import by_path, table_of
from ingest.parsers.cases import FAILED
from ingest.report_files import (
    ReportBundle,
    ReportFile,
    ReportRemark,
    deduplicate_paths,
    looks_like_results,
    pack,
    unpack,
    uploaded,
)

SOURCE, UPLOAD = SOURCES = ("import", "upload")
_EPOCH = re.compile(r"^(\d{10})_.*\.order\.txt$")


@dataclass(frozen=True)
class Key:
    """What an import is. `number` and `started_at` may be left to the files; an empty `run` is a run of its own.

    Raises ValueError where release or module is missing.
    """

    release: str
    module: str
    number: int | None = None
    started_at: datetime | None = None
    version: str | None = None
    environment: str = "default"
    url: str = ""
    revision: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    run: str | None = None  # modules of one release and run form one run; None: the number, where it is given

    def __post_init__(self) -> None:
        for name in ("release", "module"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{name} is missing: an import needs a release and a module")
            filters.check_name(value)
        if self.started_at is not None:
            filters.check_not_future(self.started_at)

    @classmethod
    def read(cls, document: dict[str, Any]) -> Key:
        """From the JSON of an upload. Raises ValueError which says what is wrong with which field."""
        unknown = sorted(set(document) - set(cls.__dataclass_fields__) - {"progress", "builds"})
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no such field; there are {', '.join(cls.__dataclass_fields__)}")
        values = {name: value for name, value in document.items() if value is not None}
        values = {name: value for name, value in values.items() if name in cls.__dataclass_fields__}
        if "number" in values and not isinstance(values["number"], int):
            raise ValueError(f"number = {values['number']!r}: must be a whole number")
        if "started_at" in values:
            values["started_at"] = read_moment(str(values["started_at"]))
        return cls(**{"release": "", "module": "", **values})


def read_moment(text: str) -> datetime:
    """ISO 8601; without a zone it is UTC. Raises ValueError."""
    try:
        return filters.parse_time(text)
    except filters.FilterError as error:
        raise ValueError(f"{text!r} is no ISO 8601 time such as 2026-01-31T08:00:00Z") from error


def plan(
    paths: Sequence[Path],
    release: str | None,
    module: str | None,
    number: int | None,
    started_at: datetime | None,
    version: str | None,
    environment: str,
) -> list[tuple[Key, list[Path]]]:
    """Which builds the paths hold, with the paths of each. Raises ValueError where a name is missing."""
    facts = {"version": version, "environment": environment, "started_at": started_at}
    numbered = {} if number is not None else _numbered(paths)
    builds = [
        (
            Key(
                release=release or folder.parent.parent.name,
                module=module or folder.parent.name,
                number=int(folder.name),
                run="",
                **facts,
            ),
            [path],
        )
        for folder, path in numbered.items()
    ]
    others = [path for path in paths if not _is_covered(path, numbered)]
    return builds + ([(Key(release or "", module or "", number, **facts), others)] if others else [])


def left_over(paths: Sequence[Path], builds: Iterable[tuple[Key, list[Path]]]) -> list[Path]:
    """What looks like results below the paths and is part of no planned build. Raises OSError."""
    taken = {path.resolve() for _, given in builds for path in given}
    files = {file.resolve(): file for path in paths if path.is_dir() for file in path.rglob("*") if file.is_file()}
    beside = [file for real, file in files.items() if taken.isdisjoint((real, *real.parents))]
    return sorted(file for file in beside if looks_like_results(file))


def summary(build: BuildRecord, files: int) -> dict[str, Any]:
    """What was imported, in the names of the JSON API."""
    finals = build.cases.filter(build.cases["is_final"])
    statuses = Counter(finals["status"].to_pylist())
    return {
        "build": ids.text(build.id),
        "release": build.release,
        "module": build.module,
        "number": build.number,
        "started_at": build.started_at.isoformat() + "Z",
        "files": files,
        "total": len(finals),
        "passed": statuses["passed"],
        "failed": statuses["failed"],
        "errors": finals["kind"].to_pylist().count("error"),
        "skipped": statuses["skipped"],
        "warnings": [f"{path}: {text}" if path else text for path, text in build.warnings],
    }


def _numbered(paths: Sequence[Path]) -> dict[Path, Path]:
    """Folders .../RELEASE/MODULE/NUMBER with reports, the layout in which the older tracker kept what it downloaded:
    each once, and as what path it was found."""
    folders: dict[Path, Path] = {}
    for root in paths:
        for folder in [root, *sorted(root.rglob("*"))] if root.is_dir() else ():
            if folder.name.isdigit() and folder.is_dir() and _holds_results(folder):
                folders.setdefault(folder.resolve(), folder)
    return folders


def _holds_results(folder: Path) -> bool:
    return (folder / "junit").is_dir() or any(folder.glob("*.order.txt"))


def _is_covered(path: Path, numbered: Iterable[Path]) -> bool:
    real = path.resolve()
    return any(folder.is_relative_to(real) or real.is_relative_to(folder) for folder in numbered)


def import_files(
    store: Store, key: Key, handed: ReportBundle, *, source: str = SOURCE, author: str = ""
) -> BuildRecord:
    """Store the files' results as one final build and its run, in one transaction. What could not be read is remarked
    and flagged.

    Raises ValueError where no file holds any result, BadArchive.
    """
    files = deduplicate_paths(handed.files)
    results = read_build(_inputs(files))
    if not results.cases:
        remarks = [f"{path}: {why}" for path, why in (*handed.unreadable, *handed.skipped)] + results.warnings
        told = "; ".join(remarks[:3]) or "none of them is a report of a known kind"
        raise ValueError(f"no test result in {len(files) + len(handed.unreadable)} files: {told}")
    number, started_at = _identity(store, source, key, files, results.cases)
    told = {"unreadable": handed.unreadable, "skipped": handed.skipped}
    build = _build(source, key, number, started_at, len(files), results, pack(files), told)
    run = _run(build, key)
    store.transact(
        author or "import",
        f"{source}: {build.job} #{number}, {len(build.cases)} results from {len(files)} files",
        lambda cursor: _put(cursor, build, run),
    )
    return build


def import_upload(store: Store, metadata: dict[str, Any], files: Sequence[RawFile], author: str = "") -> BuildRecord:
    """Store what came through the API: `metadata` has the fields of Key. Raises ValueError."""
    return import_files(store, Key.read(metadata), uploaded(files), source=UPLOAD, author=author)


def derive_again(build: dict[str, Any], kept: Sequence[RawFile]) -> tuple[BuildRecord, RunRecord]:
    """An imported build as its kept files give it today; of `build`, its row, identity is taken. Raises BadArchive."""
    (description,) = [file for file in kept if file.kind == "import"]
    document = json.loads(raw_files.unpack(description))
    told = {name: document.pop(name, []) for name in ("unreadable", "skipped")}
    key = Key.read(document)
    files = [file for file in kept if file.kind == "file"]
    results = read_build(_inputs(one for file in files for one in unpack(file)))
    again = _build(build["source"], key, build["number"], build["started_at"], build["artifacts"], results, files, told)
    return again, _run(again, key)


def _build(
    source: str,
    key: Key,
    number: int,
    started_at: datetime,
    files: int,
    results: BuildResults,
    kept: list[RawFile] | None,
    told: dict[str, Sequence[ReportRemark]],
) -> BuildRecord:
    """`told`: what of the input was unreadable or skipped, which no kept file can tell."""
    failed = any(case.is_final and case.status == FAILED for case in results.cases)
    document = asdict(key) | {"started_at": key.started_at.isoformat() if key.started_at else None} | told
    flags = results.flags | ({"no_raw"} if kept is None else set()) | ({"unreadable"} if told["unreadable"] else set())
    cases, tests = table_of(results.cases, lambda _: key.module)
    return BuildRecord(
        source=source,
        job=f"{key.release}/{key.module}",
        number=number,
        started_at=started_at,
        release=key.release,
        module=key.module,
        result="UNSTABLE" if failed else "SUCCESS",
        version=key.version,
        environment=key.environment,
        display_name=f"#{number}",
        url=key.url,
        revision=key.revision,
        parameters=key.parameters,
        artifacts=files,
        flags=frozenset(flags),
        cases=cases,
        tests=tests,
        warnings=[*(("", f"{path}: {why}") for remarks in told.values() for path, why in remarks), *by_path(results)],
        raw=[raw_files.pack("import.json", "import", json.dumps(document).encode()), *(kept or [])],
    )


def _run(build: BuildRecord, key: Key) -> RunRecord:
    name = key.run if key.run is not None else str(key.number or "")
    return RunRecord(
        source=build.source,
        job=key.release if name else build.job,
        number=build.number,
        release=build.release,
        started_at=build.started_at,
        version=build.version,
        environment=build.environment,
        result=build.result,
        display_name=name or build.display_name,
        url=build.url,
        key=f"run={name}" if name else "",
    )


def _put(cursor, build: BuildRecord, run: RunRecord) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    upsert_builds(cursor, [build], now, standalone_runs=[(build, run)])


def _inputs(files: Iterable[ReportFile]) -> Iterator[ReportInput]:
    return ((file.path, None, file.open) for file in files)


def _identity(store: Store, source: str, key: Key, files: Sequence[ReportFile], cases) -> tuple[int, datetime]:
    stored = builds_of_job(store, source, f"{key.release}/{key.module}")
    # Order logs carry the time at which they began in their name.
    named = (_EPOCH.search(file.path.rpartition("/")[2]) for file in files)
    times = [case.started_at for case in cases if case.started_at] + [int(found[1]) for found in named if found]
    started_at = key.started_at or (datetime.fromtimestamp(max(times), UTC).replace(tzinfo=None) if times else None)
    started_at = started_at or max((file.modified for file in files if file.modified), default=None)
    if started_at is None:
        same = [start for number, start in stored if number == key.number]
        started_at = max(same, default=datetime.now(UTC).replace(tzinfo=None, microsecond=0))
    if key.number is not None:
        return key.number, started_at
    same = [number for number, start in stored if start == started_at]
    return (same[0] if same else max((number for number, _ in stored), default=0) + 1), started_at
