"""Results without a Jenkins: files, folders and zips from a disk, or uploaded by any CI.

The same files under the same key are the same build, however often they come: the start time, which is part of a
build's identity, is taken from the reports themselves.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from data import filters, ids, raw
from data.append import Build, RawFile, put
from data.ledger import builds_of_job
from data.runs import Run
from data.store import Store
from ingest.derive import by_path, table_of
from ingest.fetch import RAW_LIMIT
from ingest.parsers.archive import BadArchive, members
from ingest.records import FAILED
from ingest.results import BuildResults, InputFile, read_build

SOURCE, UPLOAD = SOURCES = ("import", "upload")
SINGLES = 20  # raw files kept one by one; more of them are kept as one zip
_EPOCH = re.compile(r"^(\d{10})_.*\.order\.txt$")
_REPORTS = re.compile(r"\.(xml|tap|trx|json|order\.txt)$", re.IGNORECASE)


@dataclass(frozen=True)
class Given:
    """One report. `modified` is a naive UTC time, None where it says nothing about the report."""

    path: str
    open: Callable[[], BinaryIO]
    modified: datetime | None = None


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
            filters.name(value)
        if self.started_at is not None:
            filters.past(self.started_at)

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
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no ISO 8601 time such as 2026-01-31T08:00:00Z") from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


@contextmanager
def reports(paths: Iterable[Path]) -> Iterator[list[Given]]:
    """The reports at these paths, to be read within; folders and zips are searched.

    Raises ValueError, BadArchive, OSError.
    """
    with ExitStack() as opened:
        found: list[Given] = []
        for path in paths:
            if path.is_dir():
                inside = sorted(file for file in path.rglob("*") if file.is_file() and _REPORTS.search(file.name))
                found += [_on_disk(file, str(file.relative_to(path))) for file in inside]
            elif path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path)):
                stream = opened.enter_context(path.open("rb"))
                try:
                    found += [Given(member.path, member.open) for member in members(stream)]
                except BadArchive as error:
                    raise BadArchive(f"{path}: {error}") from error
            elif path.is_file():
                found.append(_on_disk(path, path.name))
            else:
                raise ValueError(f"{path}: there is no such file or folder")
        yield found


def plan(
    paths: Sequence[Path],
    release: str | None,
    module: str | None,
    number: int | None,
    started_at: datetime | None,
    version: str | None,
    environment: str,
) -> list[tuple[Key, list[Path]]]:
    """Which builds the paths hold, with the files of each. Raises ValueError where a name is missing."""
    numbered = [folder for path in paths if path.is_dir() and number is None for folder in numbered_folders(path)]
    facts = {"version": version, "environment": environment, "started_at": started_at}
    if numbered:
        return [
            (
                Key(
                    release=release or folder.resolve().parent.parent.name,
                    module=module or folder.resolve().parent.name,
                    number=int(folder.name),
                    run="",
                    **facts,
                ),
                [folder],
            )
            for folder in numbered
        ]
    return [(Key(release or "", module or "", number, **facts), list(paths))] if paths else []


def summary(build: Build, files: int) -> dict[str, Any]:
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


def _on_disk(file: Path, name: str) -> Given:
    modified = datetime.fromtimestamp(int(file.stat().st_mtime), UTC).replace(tzinfo=None)
    return Given(name.replace("\\", "/"), lambda: file.open("rb"), modified)


def numbered_folders(root: Path) -> list[Path]:
    """Folders .../RELEASE/MODULE/NUMBER with reports, the layout in which the older tracker kept what it downloaded."""
    candidates = [root, *sorted(folder for folder in root.rglob("*") if folder.is_dir())]
    return [folder for folder in candidates if folder.name.isdigit() and _holds_results(folder)]


def _holds_results(folder: Path) -> bool:
    return (folder / "junit").is_dir() or any(folder.glob("*.order.txt"))


def import_files(store: Store, key: Key, files: Sequence[Given], *, source: str = SOURCE, author: str = "") -> Build:
    """Store the files' results as one final build and its run, in one transaction.

    Raises ValueError where no file holds any result, BadArchive.
    """
    files = _told_apart(files)
    results = read_build(_inputs(files))
    if not results.cases:
        remarks = "; ".join(results.warnings[:3]) or "none of them is a report of a known kind"
        raise ValueError(f"no test result in {len(files)} files: {remarks}")
    number, started_at = _identity(store, source, key, files, results.cases)
    build = _build(source, key, number, started_at, len(files), results, _keep(files))
    run = _run(build, key)
    store.transact(
        author or "import",
        f"{source}: {build.job} #{number}, {len(build.cases)} results from {len(files)} files",
        lambda cursor: _put(cursor, build, run),
    )
    return build


def _told_apart(files: Sequence[Given]) -> list[Given]:
    """The files; one whose path another has already goes below a numbered folder, so that each can be asked for."""
    seen: Counter[str] = Counter()
    distinct = []
    for file in files:
        seen[file.path] += 1
        distinct.append(file if seen[file.path] == 1 else replace(file, path=f"{seen[file.path]}/{file.path}"))
    return distinct


def import_upload(store: Store, metadata: dict[str, Any], files: Sequence[RawFile], author: str = "") -> Build:
    """Store what came through the API: `metadata` has the fields of Key. Raises ValueError, BadArchive."""
    given = [one for file in files for one in _uploaded(file)]
    return import_files(store, Key.read(metadata), given, source=UPLOAD, author=author)


def derive_again(build: dict[str, Any], kept: Sequence[RawFile]) -> tuple[Build, Run]:
    """An imported build as its kept files give it today; of `build`, its row, identity is taken. Raises BadArchive."""
    (description,) = [file for file in kept if file.kind == "import"]
    key = Key.read(json.loads(raw.unpack(description)))
    files = [file for file in kept if file.kind == "file"]
    results = read_build(_inputs(one for file in files for one in _kept(file)))
    again = _build(build["source"], key, build["number"], build["started_at"], build["artifacts"], results, files)
    return again, _run(again, key)


def _build(
    source: str,
    key: Key,
    number: int,
    started_at: datetime,
    files: int,
    results: BuildResults,
    kept: list[RawFile] | None,
) -> Build:
    failed = any(case.is_final and case.status == FAILED for case in results.cases)
    document = asdict(key) | {"started_at": key.started_at.isoformat() if key.started_at else None}
    cases, tests = table_of(results.cases, lambda _: key.module)
    return Build(
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
        flags=frozenset(results.flags | ({"no_raw"} if kept is None else set())),
        cases=cases,
        tests=tests,
        warnings=by_path(results),
        raw=[raw.pack("import.json", "import", json.dumps(document).encode()), *(kept or [])],
    )


def _run(build: Build, key: Key) -> Run:
    name = key.run if key.run is not None else str(key.number or "")
    return Run(
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


def _put(cursor, build: Build, run: Run) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    put(cursor, [build], now, made=[(build, run)])


def _inputs(files: Iterable[Given]) -> Iterator[InputFile]:
    return ((file.path, None, file.open) for file in files)


def _identity(store: Store, source: str, key: Key, files: Sequence[Given], cases) -> tuple[int, datetime]:
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


def _keep(files: Sequence[Given]) -> list[RawFile] | None:
    """The files as raw files; None where they are too large to be kept."""
    sizes = 0
    packed: list[RawFile] = []
    together = io.BytesIO()
    with zipfile.ZipFile(together, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            with file.open() as stream:
                content = stream.read(RAW_LIMIT + 1)
            if len(content) > RAW_LIMIT:
                return None
            if len(files) <= SINGLES:
                packed.append(raw.pack(file.path, "file", content))
                sizes += len(packed[-1].content)
            else:
                archive.writestr(zipfile.ZipInfo(file.path), content, zipfile.ZIP_DEFLATED)
                sizes = together.tell()
            if sizes > RAW_LIMIT:
                return None
    return packed or [raw.pack_zip("files.zip", "file", together.getvalue())]


def _uploaded(file: RawFile) -> Iterator[Given]:
    content = raw.unpack(file)
    if zipfile.is_zipfile(io.BytesIO(content)):
        try:
            yield from (Given(member.path, member.open) for member in members(io.BytesIO(content)))
        except BadArchive as error:
            raise BadArchive(f"{file.path}: {error}") from error
    else:
        yield Given(file.path, lambda: io.BytesIO(content))


def _kept(file: RawFile) -> Iterator[Given]:
    """What `_keep` has packed together; a zip among the files stays one, as it was when they came."""
    content = raw.unpack(file)
    if file.encoding == "zip":
        yield from (Given(member.path, member.open) for member in members(io.BytesIO(content)))
    else:
        yield Given(file.path, lambda: io.BytesIO(content))
