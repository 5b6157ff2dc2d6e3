"""Passwords are taken out of addresses, whatever they contain, and secrets are masked in any text."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import redaction
from data.redaction import MASK, redact, register, split_password
from data.settings import SourceSettings

passwords = st.text(st.characters(codec="ascii", min_codepoint=32, exclude_characters="\x7f"), min_size=1).map(
    lambda text: f"x{text}y"
)


@pytest.fixture(autouse=True)
def _no_other_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())
    monkeypatch.setattr(redaction, "_known_pattern", None)


@given(passwords, st.sampled_from(["", "?sslmode=require", "?user=a@b&connect_timeout=1"]))
def test_a_password_in_the_address_of_a_database(password: str, query: str) -> None:
    clean = f"postgresql://tracker@db:5432/tests{query}"
    assert split_password(clean.replace("@db", f":{quote(password, safe='')}@db")) == (clean, password)


@given(passwords)
def test_a_password_in_the_query_or_as_a_keyword(password: str) -> None:
    encoded, escaped = quote(password, safe=""), password.replace("\\", "\\\\").replace("'", "\\'")
    for query, left in (
        (f"?password={encoded}", ""),
        (f"?password={encoded}&sslmode=require", "?sslmode=require"),
        (f"?sslmode=require&password={encoded}", "?sslmode=require"),
    ):
        assert split_password(f"postgresql://db/tests{query}") == (f"postgresql://db/tests{left}", password)
    found = split_password(f"postgres:host=db password = '{escaped}' dbname=tests")
    assert found == ("postgres:host=db dbname=tests", password)


@pytest.mark.parametrize(
    ("address", "clean", "password"),
    [
        ("postgresql://u:a@b/c@db/x", "postgresql://u@db/x", "a@b/c"),
        ("postgres:host=db password=a\\ b user=u", "postgres:host=db user=u", "a b"),
        ("https://u:token@ci.example.com/jenkins/", "https://u@ci.example.com/jenkins/", "token"),
        ("https://ci.example.com:8443/job/ws@2/", "https://ci.example.com:8443/job/ws@2/", None),
        ("https://ci.example.com/job/ws@2:x/", "https://ci.example.com/job/ws@2:x/", None),
        ("var/catalog.sqlite", "var/catalog.sqlite", None),
    ],
)
def test_addresses(address: str, clean: str, password: str | None) -> None:
    assert split_password(address) == (clean, password)


def test_a_known_secret_is_masked_in_every_form() -> None:
    register("hors'e\"battery/%")
    text = "hors'e\"battery/% hors%27e%22battery%2F%25 hors'e\\\"battery/% hors''e\"battery/%"
    assert redact(text) == " ".join([MASK] * 4)


def test_a_common_word_as_a_secret_leaves_other_words_alone() -> None:
    register("postgres")
    assert redact("postgresql://postgres@db") == f"postgresql://{MASK}@db"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("connect to https://reader:abc@ci/x failed", f"connect to https://reader:{MASK}@ci/x failed"),
        ("host=db password='a b' user=u", f"host=db password={MASK} user=u"),
        ("GET /feed?api_key=abc&page=2", f"GET /feed?api_key={MASK}&page=2"),
        ("SECRET = 'abc'", f"SECRET = {MASK}"),
        ("Authorization: Bearer abcdefgh.ijk", f"Authorization: Bearer {MASK}"),
        ("token_file = /etc/token", "token_file = /etc/token"),
        ("http://ci:8080/job/ws@2/", "http://ci:8080/job/ws@2/"),
        ("signature=123, 5 tokens", "signature=123, 5 tokens"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, masked: str) -> None:
    assert redact(text) == masked


def test_the_address_of_a_source_keeps_neither_user_nor_token() -> None:
    source = SourceSettings(name="ci", url="https://rea%40der:to%2Fken@ci/j", job="x")
    assert (source.url, source.user) == ("https://ci/j/", "rea@der")
    assert source.token and source.token.get_secret_value() == "to/ken"
    source = SourceSettings(name="ci", url="https://other:token@ci/", user="reader", job="x")
    assert (source.url, source.user) == ("https://ci/", "reader")
