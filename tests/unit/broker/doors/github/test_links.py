from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.doors.github.links import Links

pytestmark = pytest.mark.req("A4")

DOTCOM = Links("https://api.github.com/", "https://ostiary.test")
KNOWN = {"page", "per_page", "state"}


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        (
            '<https://api.github.com/repositories/12/issues?page=2>; rel="next"',
            '</repos/a/b/issues?page=2>; rel="next"',
        ),
        (
            '<https://api.github.com/x?per_page=1&page=2>; rel="next", <https://api.github.com/x?page=9>; rel="last"',
            '</repos/a/b/issues?per_page=1&page=2>; rel="next", </repos/a/b/issues?page=9>; rel="last"',
        ),
        # What GitHub adds and does not document goes, where the page says as much.
        ('<https://h/x?state=all&after=Y3&page=2>; rel="next"', '</repos/a/b/issues?state=all&page=2>; rel="next"'),
        ('<https://h/x?state=all&after=Y3>; rel="next"', '</repos/a/b/issues?state=all&after=Y3>; rel="next"'),
        ('<https://h/x>; rel="next"', ""),
        ('<https://h/x?a=">; rel="next"', ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_a_link_leads_to_what_was_asked_for(link: str, wanted: str) -> None:
    wanted = wanted.replace("</", "<https://ostiary.test/api/v3/")
    assert DOTCOM.header(link, "/repos/a/b/issues", KNOWN) == wanted


@given(st.text(alphabet='<>;,= "?&abcpage=1/:\r\nh', max_size=200))
def test_no_link_leads_elsewhere(link: str) -> None:
    found = DOTCOM.header(link, "/repos/a/b", KNOWN)
    assert found.count("<") == found.count("<https://ostiary.test/api/v3/repos/a/b?") <= 8
    assert found.isprintable()


@pytest.mark.parametrize(
    ("links", "sent", "wanted"),
    [
        (DOTCOM, "https://api.github.com/repos/a/b{/sha}", "https://ostiary.test/api/v3/repos/a/b{/sha}"),
        (DOTCOM, "https://uploads.github.com/repos/a", "https://ostiary.test/api/uploads/repos/a"),
        (DOTCOM, "https://api.github.com.evil.test/x", "https://api.github.com.evil.test/x"),
        (DOTCOM, "https://api.github.com", "https://api.github.com"),
        (DOTCOM, "see https://api.github.com/x", "see https://api.github.com/x"),
        (DOTCOM, "https://github.com/a/b", "https://github.com/a/b"),
        (Links("", "https://o.test"), "/x", "/x"),
        (Links("https://ghe.test/api/v3/", "h"), "https://ghe.test/api/v3/x", "h/api/v3/x"),
        (Links("https://ghe.test/api/v3/", "h"), "https://ghe.test/api/uploads/x", "h/api/uploads/x"),
        (Links("http://127.0.0.1:9/", "h"), "http://127.0.0.1:9/user", "h/api/v3/user"),
    ],
)
def test_an_address_of_the_api_becomes_ours_and_no_other(links: Links, sent: str, wanted: str) -> None:
    assert links.within([{"url": sent, "id": 7, "none": None}]) == [{"url": wanted, "id": 7, "none": None}]


JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(JSON)
def test_what_holds_no_address_stays_as_it_is(value: Any) -> None:
    assert DOTCOM.within(value) == value
