"""The configuration: one TOML file, every key overridable by `REGTRACKER_*`, fully checked before anything starts.

This is the only module that reads the environment. Secrets come from the environment or a file, never from the TOML.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from data import redaction
from data.lake_address import POSTGRES, LakeAddress


class ConfigError(Exception):
    """The configuration is invalid. The text names each wrong key, its value and what is allowed."""


def _compiles(group: str | None = None) -> AfterValidator:
    """A validator for a regular expression, which must have the named group."""

    def check(pattern: str | None) -> str | None:
        if pattern is None:
            return None
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"is not a valid regular expression: {error}") from error
        if group and group not in compiled.groupindex:
            raise ValueError(f"needs a group named (?P<{group}>...)")
        return pattern

    return AfterValidator(check)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_LIBPQ = re.compile(r"\s*(host|hostaddr|port|dbname|user|password|service)\s*=")


class StoreSettings(_Table):
    """Where the lake is, and the threads and memory that one process may use for it."""

    # A path of a SQLite file, postgresql://user@host/dbname or postgres:host=... dbname=...; empty: HOME/catalog.sqlite
    catalog: str = ""
    data_path: str = ""  # a folder or s3://bucket/prefix; empty: HOME/lake
    threads: int = Field(2, ge=1, le=256)
    memory: str = Field("1GB", pattern=r"^\d+(\.\d+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$")

    @field_validator("catalog")
    @classmethod
    def _known_kind(cls, catalog: str) -> str:
        if catalog.startswith(POSTGRES):
            return catalog
        if "://" in catalog or _LIBPQ.match(catalog):
            raise ValueError("must be a path of a SQLite file, postgresql://user@host/dbname or postgres:host=...")
        return catalog


class WebSettings(_Table):
    host: str = "127.0.0.1"
    port: int = Field(8050, ge=0, le=65535)
    workers: int = Field(2, ge=1, le=64)
    threads: int = Field(8, ge=1, le=256)
    cors_origins: list[str] = []
    # Accepted names in `Host`, besides loopback names and addresses (dashboard/allowed_hosts.py).
    hosts: list[str] = []
    cache_mb: int = Field(128, ge=0)


class MeasureSettings(_Table):
    """Definitions that a team may choose."""

    skipped_in_pass_rate: bool = True  # passed / total; false: passed / (passed + failed)
    window: int = Field(10, ge=2, le=60)  # results of a test that a verdict is based on
    stale_hours: float = Field(48, gt=0)  # a release with no new run for this long is stale
    change_point_l: float = Field(1e-3, gt=0, lt=1)  # smaller: fewer false changes, found later (docs/verdicts.md)


class IdentitySettings(_Table):
    """What is no part of a test's identity, beyond the list in docs/ingest.md."""

    # Folders of agents, removed from the front of absolute paths: "/data/*/checkout"; * is one folder, ** any number.
    roots: list[str] = []

    @field_validator("roots")
    @classmethod
    def _absolute(cls, roots: list[str]) -> list[str]:
        for root in roots:
            if not re.match(r"^(?:[A-Za-z]:)?[\\/].*[^\\/*]", root):
                raise ValueError(f"{root!r} must be an absolute folder, such as /data/*/checkout")
        return roots


class LimitSettings(_Table):
    """What the reports of one build or upload may hold. More is refused whole, never read in part."""

    cases: int = Field(500_000, ge=1)
    files: int = Field(50_000, ge=1)
    unpacked_mb: int = Field(2048, ge=1)
    seconds: float = Field(300, gt=0)  # of reading them


class EnvironmentRule(_Table):
    """The environment of a run: the value of a build parameter, mapped to a name."""

    parameter: str = ""
    map: dict[str, str] = {}
    default: str = "default"

    @property
    def names(self) -> set[str]:
        """The environments that this rule names; a parameter without `map` may give others."""
        return {self.default, *self.map.values()}

    def of(self, parameters: dict[str, str]) -> str:
        value = parameters.get(self.parameter)
        if not value:
            return self.default
        names = {key.lower(): name for key, name in self.map.items()}
        return names.get(value.lower(), self.default if names else value)


class ConsoleRule(_Table):
    """A line pattern of a console log: groups name and status, and optionally file, class, duration and message."""

    pattern: Annotated[str, _compiles("name"), _compiles("status")]


RESULT_KINDS = (
    "junit", "order", "testng", "tap", "robot", "trx", "nunit", "xunit", "cucumber", "go_test", "console",
    "test_report",
)  # fmt: skip


class SourceSettings(_Table):
    """A Jenkins, or a part of one, to read builds from."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    url: str
    user: str = ""
    token: SecretStr | None = None  # filled from REGTRACKER_SOURCE_<NAME>_TOKEN or token_file, never from the TOML
    token_file: Path | None = None
    verify_tls: bool = True
    ca_bundle: Path | None = None
    poll_minutes: float = Field(5, gt=0, le=60 * 24 * 7)
    layout: Literal["orchestrator", "folder", "multibranch", "job", "view"] = "orchestrator"
    job: str  # folder: "" or "/" is the root of the Jenkins
    include: list[str] = ["*"]
    exclude: list[str] = []
    group_by: str = ""  # folder: "", "upstream" or "parameter:NAME": how builds of several jobs form a run
    module: Annotated[str, _compiles("module")] = r"(?i)^(?P<module>.+?)([_-]module)?([_-]esxi)?$"
    version: Annotated[str, _compiles("version")] = r"VER:\s*(?P<version>\d+(\.\d+)+)"
    release: Annotated[str, _compiles("release")] = r"^(?P<release>\d+\.\d+)"
    release_fixed: str | None = None
    environment: EnvironmentRule = EnvironmentRule()
    owner: Annotated[str | None, _compiles("module")] = None
    topology: Annotated[str | None, _compiles("topology")] = None
    results: list[str] = ["junit:**/*.xml", "order:**/*.order.txt", "test_report"]
    console: list[ConsoleRule] = []
    history: int = Field(100, ge=1, le=100_000)  # builds of a job to read at first; for older ones: backfill
    max_in_flight: int = Field(4, ge=1, le=64)
    timeout_s: float = Field(60, gt=0)
    recheck_minutes: float = Field(10, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _split_userinfo(cls, values: Any) -> Any:
        """User and token of `https://user:token@host/` as the settings of these names: the URL is shown and stored."""
        if not isinstance(values, dict) or not isinstance(values.get("url"), str):
            return values
        url, token = redaction.split_password(values["url"])
        scheme, _, rest = url.partition("://")
        user, at, host = rest.partition("@") if "@" in re.split("[/?#]", rest)[0] else ("", "", rest)
        if not at:
            return values
        given = {"user": unquote(user), "token": token}
        return {name: value for name, value in given.items() if value} | values | {"url": f"{scheme}://{host}"}

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        if not re.match(r"^https?://[^/\s]+", url):
            raise ValueError("must start with http:// or https:// and name a host")
        return url.rstrip("/") + "/"

    @field_validator("job")
    @classmethod
    def _named(cls, job: str, info: ValidationInfo) -> str:
        if not job.strip("/ ") and info.data.get("layout", "folder") != "folder":
            raise ValueError('is empty; only with layout = "folder" can a source be the root of a Jenkins')
        return job.strip()

    @field_validator("group_by")
    @classmethod
    def _group(cls, text: str) -> str:
        if text not in ("", "upstream") and not text.startswith("parameter:"):
            raise ValueError('must be "", "upstream" or "parameter:NAME"')
        return text

    @field_validator("results")
    @classmethod
    def _kinds(cls, results: list[str]) -> list[str]:
        for entry in results:
            kind, _, glob = entry.partition(":")
            if kind not in RESULT_KINDS or (kind not in ("test_report", "console") and not glob):
                raise ValueError(f"{entry!r} must be test_report, console, or KIND:GLOB with KIND in {RESULT_KINDS}")
        return results


BUGS_TOKEN = "REGTRACKER_BUGS_TOKEN"
_SECRET_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD")
_CLOSED = "closed done resolved fixed verified released rejected cancelled canceled duplicate invalid obsolete"


class BugSettings(_Table):
    """The feed of the bug tracker. Without a url, bugs are only read by `regtracker bugs FILE`."""

    url: str = ""
    hours: float = Field(24, gt=0, le=24 * 31)  # between two reads by the ingest process
    user: str = ""
    token: SecretStr | None = None  # filled from REGTRACKER_BUGS_TOKEN or token_file, never from the TOML
    token_file: Path | None = None
    verify_tls: bool = True
    ca_bundle: Path | None = None
    timeout_s: float = Field(30, gt=0)
    closed: list[str] = [*_CLOSED.split(), "won't fix", "won't do"]  # statuses of closed bugs; case does not matter

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        return web_address(url) if url else url


def web_address(url: str) -> str:
    """Check the URL of a feed. Raises ValueError."""
    parts = re.match(r"^https?://(?P<host>[^/?#\s]+)\S*$", url)
    if not parts:
        raise ValueError("must start with http:// or https:// and name a host")
    if "@" in parts["host"]:
        raise ValueError(f"must not contain a password; set user and {BUGS_TOKEN}")
    return url


class Settings(BaseSettings):
    """All settings of one process. Built by `load()`, and by nothing else."""

    model_config = SettingsConfigDict(
        env_prefix="REGTRACKER_", env_nested_delimiter="__", env_file=".env", extra="ignore", frozen=True
    )

    home: Path = Path("var")
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    measures: MeasureSettings = MeasureSettings()
    identity: IdentitySettings = IdentitySettings()
    limits: LimitSettings = LimitSettings()
    source: list[SourceSettings] = []
    bugs: BugSettings = BugSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, toml_file=config_path())
        return init_settings, env_settings, dotenv_settings, toml

    @field_validator("source")
    @classmethod
    def _unique(cls, sources: list[SourceSettings]) -> list[SourceSettings]:
        names = [source.name for source in sources]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two sources are named {name!r}; a name is part of every build's identity")
        return sources

    @property
    def catalog(self) -> str:
        return self.store.catalog or str(self.home / "catalog.sqlite")

    @property
    def data_path(self) -> str:
        return self.store.data_path or str(self.home / "lake")

    @property
    def lake(self) -> LakeAddress:
        return LakeAddress(str(self.home), self.catalog, self.data_path, self.store.threads, self.store.memory)


Secret = TypeVar("Secret", SourceSettings, BugSettings)


def config_path() -> Path:
    return Path(os.environ.get("REGTRACKER_CONFIG", "regtracker.toml"))


def load(**overrides: Any) -> Settings:
    """Read and check the configuration. Raises ConfigError with one line per wrong key.

    `overrides` (command-line options) take precedence over the environment and the file.
    """
    path = config_path()
    if "REGTRACKER_CONFIG" in os.environ and not path.is_file():
        raise ConfigError(f"REGTRACKER_CONFIG names {path}, which is not a file. Copy regtracker.example.toml there.")
    try:
        document = tomllib.loads(path.read_text()) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error
    _register_secrets(document)
    unknown = sorted(set(document) - set(Settings.model_fields))
    if unknown:
        allowed = ", ".join(Settings.model_fields)
        raise ConfigError("\n".join(f"{path}: {key}: unknown key; allowed are {allowed}" for key in unknown))
    for source in document.get("source", []):
        if isinstance(source, dict) and "token" in source:
            variable = token_variable(source.get("name", "NAME"))
            raise ConfigError(f"{path}: source.token: a secret does not belong here; set {variable} or token_file")
    if isinstance(document.get("bugs"), dict) and "token" in document["bugs"]:
        raise ConfigError(f"{path}: bugs.token: a secret does not belong here; set {BUGS_TOKEN} or token_file")
    try:
        settings = Settings(**overrides)
    except SettingsError as error:
        raise ConfigError(f"the environment: {error}; a table or list is written as JSON") from error
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(item, path, document) for item in error.errors())) from error
    sources = [_with_token(source, token_variable(source.name), f"source.{source.name}") for source in settings.source]
    settings = settings.model_copy(update={"source": sources, "bugs": _with_token(settings.bugs, BUGS_TOKEN, "bugs")})
    redaction.register_from([settings.catalog, settings.data_path, settings.bugs.url])
    for token in (settings.bugs.token, *(source.token for source in settings.source)):
        redaction.register(token.get_secret_value() if token else None)
    return settings


def _register_secrets(document: dict[str, Any]) -> None:
    """Mask the secrets of the file and of the environment, also where the configuration turns out to be wrong."""
    redaction.register_from(document)
    for name, value in os.environ.items():
        if name.startswith("REGTRACKER_"):
            redaction.register_from(value)
        if name in _SECRET_VARIABLES or (name.startswith("REGTRACKER_") and name.endswith("_TOKEN")):
            redaction.register(value)


def token_variable(source: str) -> str:
    return f"REGTRACKER_SOURCE_{re.sub(r'[^A-Za-z0-9]', '_', source).upper()}_TOKEN"


def _with_token(table: Secret, variable: str, key: str) -> Secret:
    token = os.environ.get(variable)
    if token is None and table.token_file is not None:
        try:
            token = table.token_file.read_text().strip()
        except OSError as error:
            raise ConfigError(f"{key}.token_file: {table.token_file} cannot be read: {error}") from error
    return table.model_copy(update={"token": SecretStr(token)}) if token else table


def _explain(item: Any, path: Path, document: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in _by_name(item["loc"], document))
    message = item["msg"].removeprefix("Value error, ")
    variable = "REGTRACKER_" + "__".join(str(part) for part in item["loc"]).upper()
    if variable in os.environ:
        return redaction.redact(f"environment variable {variable} = {os.environ[variable]!r}: {message}")
    if item["type"] == "extra_forbidden":
        return f"{path}: {key}: unknown key"
    value = "" if item["type"] == "missing" else f" = {item['input']!r}"
    return redaction.redact(f"{path}: {key}{value}: {message}")


def _by_name(loc: tuple[str | int, ...], document: dict[str, Any]) -> tuple[str | int, ...]:
    """The path of an error, with the name of a source instead of its number where it has one."""
    if len(loc) < 2 or loc[0] != "source" or "REGTRACKER_SOURCE" in os.environ:
        return loc
    name = document["source"][loc[1]].get("name")
    return (loc[0], name, *loc[2:]) if isinstance(name, str) and name else loc
