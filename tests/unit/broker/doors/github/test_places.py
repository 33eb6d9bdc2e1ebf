from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.doors.github.places import MAX_PATH_BYTES, Interface, Place, is_github, place_of

pytestmark = pytest.mark.req("A4")


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        (b"/api/v3", Place(Interface.REST, "", "", "/")),
        (b"/api/v3/", Place(Interface.REST, "", "", "/")),
        (b"/api/v3/repos/Acme/app", Place(Interface.REST, "", "", "/repos/Acme/app")),
        (b"/api/v3/repos/a/b/contents/", Place(Interface.REST, "", "", "/repos/a/b/contents/")),
        (b"/github/hub-2/api/v3/a/b%2Fx", Place(Interface.REST, "/github/hub-2", "hub-2", "/a/b%2Fx")),
        (b"/api/v3/a/%E2%82%AC", Place(Interface.REST, "", "", "/a/%E2%82%AC")),
        (b"/api/v3/compare/main...next", Place(Interface.REST, "", "", "/compare/main...next")),
        (b"/api/v3/a/%252e%252e", Place(Interface.REST, "", "", "/a/%252e%252e")),
        (b"/api/graphql", Place(Interface.GRAPHQL, "", "")),
        (b"/graphql", Place(Interface.GRAPHQL, "", "")),
        (b"/github/main/api/graphql", Place(Interface.GRAPHQL, "/github/main", "main")),
        (b"/github/main/graphql", Place(Interface.GRAPHQL, "/github/main", "main")),
        (b"/api/uploads/repos/a/b", Place(Interface.UPLOADS, "", "", "/repos/a/b")),
    ],
)
def test_a_path_leads_to_one_place(sent: bytes, wanted: Place) -> None:
    assert place_of(sent) == wanted
    assert is_github(unquote(sent.decode()))


@pytest.mark.parametrize(
    "sent",
    [
        b"/api/v3/a//b",
        b"/api/v3/a//",
        b"/api/v3//",
        b"/api/v3/a/../b",
        b"/api/v3/a/%2e%2e/b",
        b"/api/v3/a/.%2E/b",
        b"/api/v3/./b",
        b"/api/v3/a/x%2f..%2fb",
        b"/api/v3/a/%2Fb",
        b"/api/v3/a/b%2f",
        b"/api/v3/a%5cb",
        b"/api/v3/a%00b",
        b"/api/v3/a%0ab",
        b"/api/v3/a%ff",
        b"/api/v3/a%",
        b"/api/v3/a%zz",
        b"/api/v3/\xc3\xa9",
        b"/api/v3/a b",
        b"/api/v3/" + b"a" * MAX_PATH_BYTES,
        b"/api/v3" + b"/a" * 300,
        b"/api/v3x/a",
        b"/%61pi/v3/a",
        b"/api/v4/a",
        b"/github/Main/api/v3/a",
        b"/github//api/v3/a",
        b"/github/main/repos/a",
        b"/api/graphql/",
        b"/graphql/x",
        b"",
    ],
)
def test_what_has_two_readings_leads_nowhere(sent: bytes) -> None:
    assert place_of(sent).interface is Interface.NOTHING


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6))
def test_what_a_path_leads_to_is_what_its_sender_wrote_and_nothing_above_it(names: list[str]) -> None:
    sent = "/" + "/".join(quote(name.encode("utf-8", "surrogatepass"), safe="") for name in names)
    place = place_of(b"/api/v3" + sent.encode())
    if place.interface is Interface.REST:
        assert place.path == sent
        assert not any(part in {"", ".", ".."} for name in names for part in name.split("/"))


@given(st.binary())
def test_any_bytes_lead_somewhere_or_nowhere(sent: bytes) -> None:
    for prefix in (b"", b"/api/v3/", b"/github/", b"/github/main/api/v3/"):
        place = place_of(prefix + sent)
        if place.interface is not Interface.NOTHING:
            assert place.path == "/" or (prefix + sent).decode("ascii").endswith(place.path)
