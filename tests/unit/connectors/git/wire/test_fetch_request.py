from __future__ import annotations

import pytest

from connectors.git.wire.fetch_request import (
    MAX_REQUEST_BYTES,
    FetchKind,
    FetchRequest,
    check_fetch,
    check_protocol,
)
from connectors.git.wire.packets import Mark, WireError, WireFault
from tests.parts.git_wire import NEW, OLD, packets

V2 = "version=2"
FETCH = ("command=fetch", "agent=git/2.39.5", "object-format=sha1", Mark.DELIM)
WANT = f"want {NEW} multi_ack_detailed no-done side-band-64k thin-pack ofs-delta deepen-since agent=git/2.39.5\n"


@pytest.mark.parametrize(
    ("header", "version"), [("", ""), ("version=0", ""), ("version=1", "version=1"), ("version=2", "version=2")]
)
def test_a_protocol_version_is_one_of_three(header: str, version: str) -> None:
    assert check_protocol(header) == version


@pytest.mark.parametrize("header", ["version=3", "version=2:x", "version=2\r\nX: y", "VERSION=2", "2", " version=2"])
def test_any_other_protocol_header_is_refused(header: str) -> None:
    with pytest.raises(WireError) as caught:
        check_protocol(header)
    assert caught.value.code is WireFault.BAD_PROTOCOL


V2_ACCEPTED = [
    ((Mark.FLUSH,), FetchRequest(FetchKind.NOTHING)),
    (("command=ls-refs\n", "agent=x", "session-id=y", Mark.FLUSH), FetchRequest(FetchKind.LIST)),
    (
        ("command=ls-refs", Mark.DELIM, "peel\n", "symrefs", "unborn", "ref-prefix refs/heads/", Mark.FLUSH),
        FetchRequest(FetchKind.LIST),
    ),
    ((*FETCH, f"want {NEW}\n", f"have {OLD}\n", "done\n", Mark.FLUSH), FetchRequest(FetchKind.FETCH, 1, 1)),
    (
        (*FETCH, "thin-pack", "no-progress", "include-tag", "ofs-delta", "sideband-all", "wait-for-done", "deepen 1",
         f"shallow {OLD}", "deepen-relative", "deepen-since 1700000000", "deepen-not v1", "filter blob:none",
         "want-ref HEAD", "want-ref refs/heads/main", Mark.FLUSH),
        FetchRequest(FetchKind.FETCH, 2, 0, ("HEAD", "refs/heads/main")),
    ),
    (("command=object-info", Mark.DELIM, "size", f"oid {NEW}", Mark.FLUSH), FetchRequest(FetchKind.SIZES, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "found"), V2_ACCEPTED)
def test_requests_of_version_2_are_understood(lines: tuple[str | Mark, ...], found: FetchRequest) -> None:
    assert check_fetch(packets(*lines), V2) == found


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ((), WireFault.MALFORMED),
        ((Mark.FLUSH, Mark.FLUSH), WireFault.MALFORMED),
        ((Mark.DELIM,), WireFault.MALFORMED),
        (("command=push", Mark.FLUSH), WireFault.BAD_COMMAND),
        (("command=bundle-uri", Mark.FLUSH), WireFault.BAD_COMMAND),
        ((f"want {NEW}", Mark.FLUSH), WireFault.BAD_COMMAND),
        (("fetch", Mark.FLUSH), WireFault.BAD_COMMAND),
        (("command=fetch", "command=ls-refs", Mark.FLUSH), WireFault.MALFORMED),
        (("command=fetch", "server-option=x", Mark.FLUSH), WireFault.MALFORMED),
        (("command=fetch", "object-format=sha256", Mark.FLUSH), WireFault.MALFORMED),
        (FETCH, WireFault.MALFORMED),
        ((*FETCH, "done"), WireFault.MALFORMED),
        ((*FETCH, "done", Mark.DELIM, "done", Mark.FLUSH), WireFault.MALFORMED),
        ((*FETCH, "done", Mark.FLUSH, *FETCH), WireFault.MALFORMED),
        ((*FETCH, "done", Mark.RESPONSE_END), WireFault.MALFORMED),
        ((*FETCH, "packfile-uris https,http", Mark.FLUSH), WireFault.PACKFILE_URIS),
        ((*FETCH, "want HEAD", Mark.FLUSH), WireFault.MALFORMED),
        ((*FETCH, f"want {NEW} x", Mark.FLUSH), WireFault.MALFORMED),
        ((*FETCH, f"want {NEW}\n\n", Mark.FLUSH), WireFault.MALFORMED),
        ((*FETCH, f"have {NEW.upper()}", Mark.FLUSH), WireFault.MALFORMED),
        ((*FETCH, "deepen -1", Mark.FLUSH), WireFault.MALFORMED),
        ((*FETCH, "filter " + "a" * 5000, Mark.FLUSH), WireFault.MALFORMED),
        ((*FETCH, "want-ref refs/pull/1/head", Mark.FLUSH), WireFault.BAD_REF),
        ((*FETCH, "want-ref refs/heads/a/../b", Mark.FLUSH), WireFault.BAD_REF),
        ((*FETCH, "want-ref refs/heads/\u00e9", Mark.FLUSH), WireFault.BAD_REF),
        (("command=ls-refs", Mark.DELIM, f"want {NEW}", Mark.FLUSH), WireFault.MALFORMED),
    ],
)
def test_what_is_no_request_of_version_2_is_refused_with_its_code(
    lines: tuple[str | Mark, ...], fault: WireFault
) -> None:
    with pytest.raises(WireError) as caught:
        check_fetch(packets(*lines), V2)
    assert caught.value.code is fault


@pytest.mark.parametrize("protocol", ["", "version=1"])
@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((Mark.FLUSH,), FetchRequest(FetchKind.NOTHING)),
        ((WANT, Mark.FLUSH, "done\n"), FetchRequest(FetchKind.FETCH, 1)),
        ((f"want {NEW}", "deepen 3", Mark.FLUSH), FetchRequest(FetchKind.FETCH, 1)),
        (
            (WANT, f"want {OLD}\n", f"shallow {OLD}", "deepen-not main", "filter tree:0", Mark.FLUSH,
             f"have {OLD}\n", f"have {NEW}\n", Mark.FLUSH, f"have {OLD}\n", "done\n"),
            FetchRequest(FetchKind.FETCH, 2, 3),
        ),
    ],
)  # fmt: skip
def test_requests_of_versions_0_and_1_are_understood(
    lines: tuple[str | Mark, ...], found: FetchRequest, protocol: str
) -> None:
    assert check_fetch(packets(*lines), protocol) == found


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ((WANT,), WireFault.MALFORMED),
        ((WANT, Mark.DELIM, "done"), WireFault.MALFORMED),
        ((WANT, Mark.FLUSH, Mark.DELIM), WireFault.MALFORMED),
        ((WANT, Mark.FLUSH, "done", "done"), WireFault.MALFORMED),
        ((WANT, Mark.FLUSH, "done", Mark.FLUSH), WireFault.MALFORMED),
        ((WANT, Mark.FLUSH, f"want {OLD}"), WireFault.MALFORMED),
        ((WANT, f"have {OLD}", Mark.FLUSH), WireFault.MALFORMED),
        (("command=fetch", Mark.FLUSH), WireFault.MALFORMED),
        ((f"have {OLD}", Mark.FLUSH), WireFault.MALFORMED),
        ((f"want {NEW} unheard-of", Mark.FLUSH), WireFault.BAD_CAPABILITY),
        ((f"want {NEW} object-format=sha256", Mark.FLUSH), WireFault.BAD_CAPABILITY),
        ((f"want {NEW}" + " filter" * 41, Mark.FLUSH), WireFault.MALFORMED),
    ],
)
def test_what_is_no_request_of_version_0_is_refused_with_its_code(
    lines: tuple[str | Mark, ...], fault: WireFault
) -> None:
    with pytest.raises(WireError) as caught:
        check_fetch(packets(*lines), "")
    assert caught.value.code is fault


def test_a_request_has_a_size() -> None:
    with pytest.raises(WireError) as caught:
        check_fetch(b"0" * (MAX_REQUEST_BYTES + 1), V2)
    assert caught.value.code is WireFault.TOO_LARGE
