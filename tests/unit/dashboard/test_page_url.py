"""The URL is the state: what is written into an address is read back from it."""

from hypothesis import given
from hypothesis import strategies as st

from dashboard.page_url import PageUrl, match
from data.model.filters import MAX_RUNS, Filter

NAMES = st.text("abcxyz_", min_size=1, max_size=8)
VALUES = st.text(min_size=1, max_size=20).filter(lambda text: text.encode("utf-8", "ignore").decode() == text)


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_a_url_round_trips(query):
    assert dict(PageUrl.of(PageUrl("/trends", query).here()).query) == query


@given(
    st.builds(
        Filter,
        release=st.none() | VALUES,
        environment=st.none() | VALUES,
        priority=st.none() | VALUES,
        runs=st.none() | st.integers(1, MAX_RUNS),
        exclude_flaky=st.booleans(),
        at_run=st.none() | VALUES,
    )
)
def test_a_filter_round_trips(flt):
    address = PageUrl("/").here(**vars(flt) | {"exclude_flaky": "1" if flt.exclude_flaky else None})
    assert PageUrl.of(address).filter == flt


def test_links_to_other_screens_keep_only_the_scope():
    url = PageUrl.of("http://host/runs/1?release=7.0&environment=prod&view=failed&q=x&as_of=3")
    assert url.to("trends") == "/trends?release=7.0&environment=prod&as_of=3"
    assert url.to("runs", "a/b", release=None) == "/runs/a%2Fb?environment=prod&as_of=3"
    assert url.here(q=None, view="broken") == "/runs/1?release=7.0&environment=prod&view=broken&as_of=3"


def test_a_pattern_matches_its_segments_and_nothing_longer():
    assert match("/runs/<run>", "/runs/12") == {"run": "12"}
    assert match("/runs/<run>", "/runs/12/") == {"run": "12"}
    assert match("/", "/") == {}
    assert match("/runs/<run>", "/runs") is None
    assert match("/runs/<run>", "/runs/12/more") is None
    assert match("/runs/<run>", "/builds/12") is None
