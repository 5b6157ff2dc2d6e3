"""What `regtracker import` and uploads name a build: its key, and which paths on disk form which builds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from data.answers.operations import RequestPayload
from data.model import filters, input_checks
from ingest.report_files import looks_like_results

DEFAULT_ENVIRONMENT = "default"


@dataclass(frozen=True)
class ImportKey:
    """Identity and facts of an imported build. `number` and `started_at` may come from the files instead.

    Raises ValueError if release or module is missing.
    """

    release: str
    module: str
    number: int | None = None
    started_at: datetime | None = None
    version: str | None = None
    environment: str = DEFAULT_ENVIRONMENT
    url: str = ""
    revision: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    run: str | None = None  # modules of one release and run form one run; None: the number, if given; "": its own run

    def __post_init__(self) -> None:
        for name in ("release", "module"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{name} is missing: an import needs a release and a module")
            input_checks.check_name(value)
        environment = input_checks.check_text("environment", self.environment or DEFAULT_ENVIRONMENT)
        object.__setattr__(self, "environment", environment)
        if self.started_at is not None:
            input_checks.check_start(self.started_at)

    @property
    def job(self) -> str:
        """What numbers count within. Each environment has numbers of its own."""
        names = [self.release, self.module, *([] if self.environment == DEFAULT_ENVIRONMENT else [self.environment])]
        return "/".join(names)

    @classmethod
    def read(cls, document: RequestPayload) -> ImportKey:
        """From the payload of an upload. Raises ValueError that names the wrong field."""
        unknown = sorted(set(document) - set(cls.__dataclass_fields__) - {"progress", "builds"})
        if unknown:
            fields = ", ".join(cls.__dataclass_fields__)
            raise ValueError(f"{', '.join(unknown)}: unknown field; the fields are {fields}")
        started_at = document.get("started_at")
        return cls(
            release=document.get("release", ""),
            module=document.get("module", ""),
            number=document.get("number"),
            started_at=None if started_at is None else read_moment(started_at),
            version=document.get("version"),
            environment=document.get("environment") or DEFAULT_ENVIRONMENT,
            url=document.get("url") or "",
            revision=document.get("revision"),
            parameters=document.get("parameters") or {},
            run=document.get("run"),
        )


def read_moment(text: str) -> datetime:
    """An ISO 8601 time; UTC if it has no zone. Raises ValueError."""
    try:
        return filters.parse_time(text)
    except filters.FilterError as error:
        raise ValueError(f"{text!r} is not an ISO 8601 time such as 2026-01-31T08:00:00Z") from error


def plan(
    paths: Sequence[Path],
    release: str | None,
    module: str | None,
    number: int | None,
    started_at: datetime | None,
    version: str | None,
    environment: str,
) -> list[tuple[ImportKey, list[Path]]]:
    """The builds at these paths, with the paths of each. Raises ValueError if a name is missing."""

    def key(release: str, module: str, number: int | None, run: str | None) -> ImportKey:
        return ImportKey(release, module, number, started_at, version, environment, run=run)

    numbered = {} if number is not None else _numbered_folders(paths, named=bool(release and module))
    builds = [
        (key(release or folder.parent.parent.name, module or folder.parent.name, int(folder.name), ""), [path])
        for folder, path in numbered.items()
    ]
    others = [path for path in paths if not _is_covered(path, numbered)]
    return builds + ([(key(release or "", module or "", number, None), others)] if others else [])


def unplanned_files(paths: Sequence[Path], builds: Iterable[tuple[ImportKey, list[Path]]]) -> list[Path]:
    """Files below the paths that look like results and belong to no planned build. Raises OSError."""
    planned = {path.resolve() for _, build_paths in builds for path in build_paths}
    files = {file.resolve(): file for path in paths if path.is_dir() for file in path.rglob("*") if file.is_file()}
    others = [file for real, file in files.items() if planned.isdisjoint((real, *real.parents))]
    return sorted(file for file in others if looks_like_results(file))


def _numbered_folders(paths: Sequence[Path], named: bool) -> dict[Path, Path]:
    """Folders .../RELEASE/MODULE/NUMBER with reports: real path -> path. If release and module are `named` otherwise, a
    number may mean anything else: then only folders in the download layout of the older tracker."""
    folders: dict[Path, Path] = {}
    for root in paths:
        for folder in [root, *sorted(root.rglob("*"))] if root.is_dir() else ():
            if (
                folder.name.isdigit()
                and folder.is_dir()
                and (_is_download(folder) or (not named and _has_reports(folder)))
            ):
                folders.setdefault(folder.resolve(), folder)
    return folders


def _is_download(folder: Path) -> bool:
    return (folder / "junit").is_dir() or any(folder.glob("*.order.txt"))


def _has_reports(folder: Path) -> bool:
    """Whether reports are directly in the folder of a module, not in numbered folders of another kind."""
    files = () if folder.parent.name.isdigit() else (file for file in folder.iterdir() if file.is_file())
    return any(looks_like_results(file) for file in files)


def _is_covered(path: Path, numbered: Iterable[Path]) -> bool:
    real = path.resolve()
    return any(folder.is_relative_to(real) or real.is_relative_to(folder) for folder in numbered)
