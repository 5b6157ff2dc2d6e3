"""The configuration: one file, every key overridable, and a wrong key or value is answered with the key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from data.settings import ConfigError, EnvironmentRule, Settings, load

SOURCE = '[[source]]\nname = "ci"\nurl = "https://jenkins.example.com/x"\njob = "qa/7.0/RUN"\n'


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Settings]:
    for name in ("REGTRACKER_HOME", "REGTRACKER_SOURCE_CI_TOKEN", "REGTRACKER_WEB__PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Settings:
        (tmp_path / "regtracker.toml").write_text(text)
        monkeypatch.setenv("REGTRACKER_CONFIG", str(tmp_path / "regtracker.toml"))
        return load()

    return write


def test_nothing_configured_is_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REGTRACKER_CONFIG", raising=False)
    monkeypatch.delenv("REGTRACKER_HOME", raising=False)
    settings = load()
    assert settings.source == [] and settings.home == Path("var")
    assert settings.catalog == "var/catalog.sqlite" and settings.data_path == "var/lake"


def test_a_source_needs_little(configured: Callable[[str], Settings]) -> None:
    (source,) = configured(SOURCE).source
    assert (source.url, source.layout) == ("https://jenkins.example.com/x/", "orchestrator")
    assert source.results[-1] == "test_report"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hom = 'x'", ["hom", "unknown key", "home"]),
        ("[web]\nport = 99999", ["web.port = 99999", "65535"]),
        ("[web]\nprot = 1", ["web.prot", "unknown key"]),
        (SOURCE + "layout = 'tree'", ["source.ci.layout = 'tree'", "'orchestrator'"]),
        (SOURCE + "version = '('", ["source.ci.version = '('", "not a valid regular expression"]),
        (SOURCE + "version = 'x'", ["source.ci.version", "(?P<version>...)"]),
        (SOURCE + "results = ['xml']", ["source.ci.results", "'xml' must be"]),
        (SOURCE + "group_by = 'x'", ["source.ci.group_by", "parameter:NAME"]),
        (SOURCE + "token = 'sesame'", ["REGTRACKER_SOURCE_CI_TOKEN"]),
        (SOURCE + SOURCE, ["two sources are named 'ci'"]),
        (SOURCE.replace("https", "ftp"), ["source.ci.url = 'ftp://", "http://"]),
        (SOURCE.replace('job = "qa/7.0/RUN"\n', ""), ["source.ci.job", "required"]),
        (SOURCE.replace('name = "ci"', ""), ["source.0.name", "required"]),
        (SOURCE.replace("qa/7.0/RUN", "/"), ["source.ci.job = '/'", 'only with layout = "folder"']),
        ("[[source]", ["cannot be read as TOML"]),
    ],
)
def test_what_is_wrong_is_named(configured: Callable[[str], Settings], text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(text)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "sesame" not in str(caught.value)


def test_a_configuration_that_is_named_but_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REGTRACKER_CONFIG", str(tmp_path / "nowhere.toml"))
    with pytest.raises(ConfigError, match="is not a file"):
        load()


def test_the_environment_wins_over_the_file(
    configured: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGTRACKER_WEB__PORT", "1234")
    monkeypatch.setenv("REGTRACKER_HOME", "elsewhere")
    settings = configured("home = 'here'\n[web]\nport = 1\nhost = '0.0.0.0'")
    assert (settings.web.port, settings.web.host, settings.home) == (1234, "0.0.0.0", Path("elsewhere"))


def test_tokens_come_from_the_environment_or_a_file(
    configured: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    (source,) = configured(SOURCE + f"token_file = '{tmp_path / 'token'}'").source
    assert source.token.get_secret_value() == "from-a-file"
    monkeypatch.setenv("REGTRACKER_SOURCE_CI_TOKEN", "from-the-environment")
    (source,) = configured(SOURCE).source
    assert source.token.get_secret_value() == "from-the-environment"
    assert "from-the-environment" not in repr(source)
    monkeypatch.delenv("REGTRACKER_SOURCE_CI_TOKEN")
    with pytest.raises(ConfigError, match=r"source\.ci\.token_file"):
        configured(SOURCE + "token_file = 'nowhere'")


def test_environments_are_named_by_a_parameter() -> None:
    rule = EnvironmentRule(parameter="STAGING", map={"true": "staging"}, default="prod")
    assert [rule.of({"STAGING": value}) for value in ("true", "True", "false", "")] == [
        "staging",
        "staging",
        "prod",
        "prod",
    ]
    assert rule.of({}) == "prod"
    assert EnvironmentRule(parameter="ENV").of({"ENV": "lab-2"}) == "lab-2"
