from __future__ import annotations

import pytest

from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.git.wire.advertisement_out import push_advertisement
from connectors.git.wire.packets import MAX_PACKET_BYTES, Mark, split
from connectors.git.wire.push_request import RefUpdate
from connectors.git.wire.report import MAX_REPORT_BYTES, MAX_RESULTS, parse_report, render_report
from connectors.git.wire.sideband import KEEP_ALIVE, fatal, progress, report_packet
from connectors.git.wire.upstream_push import render_push
from connectors.git.workshop import Cleaner
from tests.parts.git_wire import NEW, OLD, ZERO, packets

CLEAN = Cleaner("Bearer s3cret")
MAIN, TAG = "refs/heads/main", "refs/tags/v1"
GOOD = packets("unpack ok\n", f"ok {MAIN}\n", f"ng {TAG} hook declined\n", Mark.FLUSH)


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        report_packet(GOOD),
        packets(b"\1" + GOOD),
        packets(b"\1" + GOOD[:9], b"\2hello\n", b"\1" + GOOD[9:], Mark.FLUSH),
        packets("unpack ok", f"ok {MAIN}", f"option new-oid {NEW}", f"ng {TAG} hook declined", Mark.FLUSH),
    ],
)
def test_a_report_is_read_bare_or_multiplexed(body: bytes) -> None:
    report = parse_report(body, CLEAN)
    assert (report.unpack, dict(report.results)) == ("", {MAIN: "", TAG: "hook declined"})


def test_words_of_the_host_are_cleaned_wherever_they_stand() -> None:
    body = packets(
        b"\2Resolving: 10%\rResolving: 100%, done.\r\n\x1b[2Jopen a pull request\n",
        b"\3token s3cret\n",
        b"\1" + packets("unpack index-pack \x1b failed", f"ng {MAIN} has s3cret\u202e", f"ng {TAG}", Mark.FLUSH),
        Mark.FLUSH,
    )
    report = parse_report(body, CLEAN)
    assert report.words == ("Resolving: 100%, done.", "[2Jopen a pull request", "token [redacted]")
    assert report.unpack == "index-pack failed"
    assert report.results == {MAIN: "has [redacted]", TAG: "unknown reason"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        Mark.FLUSH.value,
        GOOD[:-4],
        GOOD[:-7],
        packets(f"ok {MAIN}", Mark.FLUSH),
        packets("unpack ok", f"ok {MAIN}", f"ng {MAIN} no", Mark.FLUSH),
        packets("unpack ok", "option new-oid", Mark.FLUSH),
        packets("unpack ok", f"maybe {MAIN}", Mark.FLUSH),
        packets("unpack ok", "ok ", Mark.FLUSH),
        packets("unpack ok", "\n", Mark.FLUSH),
        packets("unpack ok", Mark.DELIM),
        packets("ERR access denied"),
        packets(b"\2no report\n", Mark.FLUSH),
        packets(b"\3out of memory\n", Mark.FLUSH),
        packets(b"\1" + GOOD, b"\4?", Mark.FLUSH),
        packets(b"\1" + GOOD, Mark.DELIM),
        packets(b"\1" + GOOD[:-2], Mark.FLUSH),
        packets("unpack ok", *(f"ok r{number}" for number in range(MAX_RESULTS + 1)), Mark.FLUSH),
        GOOD + Mark.FLUSH.value * (MAX_REPORT_BYTES // 4),
        b"<html>",
    ],
)
def test_a_report_that_cannot_be_read_leaves_the_outcome_unknown(body: bytes) -> None:
    with pytest.raises(OutcomeUnknownError):
        parse_report(body, CLEAN)


def test_a_host_without_a_report_is_quoted() -> None:
    with pytest.raises(OutcomeUnknownError, match="out of memory"):
        parse_report(packets(b"\3out of memory\n", Mark.FLUSH), CLEAN)


@pytest.mark.parametrize("sideband", [True, False])
def test_what_is_rendered_is_one_line_for_each_ref(sideband: bool) -> None:
    body = render_report("", {MAIN: "", TAG: "denied:\n a\x1b rule"}, sideband=sideband)
    assert parse_report(body, CLEAN).results == {MAIN: "", TAG: "denied: a rule"}
    assert parse_report(render_report("bad pack", {}, sideband=sideband), CLEAN).unpack == "bad pack"


def test_a_long_report_is_spread_over_packets() -> None:
    results = {f"refs/heads/{number}": "x" * 3000 for number in range(100)}
    body = render_report("", results, sideband=True)
    assert max(len(packet) for packet in split(body) if isinstance(packet, bytes)) == MAX_PACKET_BYTES - 4
    assert len(parse_report(body, CLEAN).results) == 100


def test_progress_is_shown_line_by_line_and_clean() -> None:
    shown = list(split(progress("one\r\ntwo\x1b]0;x\x07\n\nthr\u202eee\u2028four\n")))
    assert shown == [b"\2one\n", b"\2two ]0;x \n", b"\2\n", b"\2thr ee four\n"]
    assert progress("") == b""
    assert list(split(KEEP_ALIVE)) == [b"\2"]
    assert [len(packet) for packet in split(progress("\u00e9" * 40_000)) if isinstance(packet, bytes)] == [65516, 14487]


def test_an_error_is_one_short_line() -> None:
    (packet,) = split(fatal("no\nway" + "y" * 9000))
    assert isinstance(packet, bytes)
    assert packet.startswith(b"\3no way")
    assert len(packet) < 1100


NEEDED = ("report-status", "atomic", "push-options", "delete-refs")
ALL = frozenset((*NEEDED, "side-band-64k", "object-format=sha1", "agent=x"))
ASKED = "report-status atomic push-options side-band-64k object-format=sha1 agent=ostiary"
UPDATES = (RefUpdate(MAIN, OLD, NEW), RefUpdate(TAG, OLD, ZERO))


def test_what_is_sent_upstream_asks_only_for_what_the_host_can() -> None:
    assert list(split(render_push(UPDATES, ALL, atomic=True, options=("a=b",)))) == [
        f"{OLD} {NEW} {MAIN}\0 {ASKED}".encode(),
        f"{OLD} {ZERO} {TAG}".encode(),
        Mark.FLUSH,
        b"a=b",
        Mark.FLUSH,
    ]
    plain = render_push(UPDATES[:1], frozenset({"report-status"}), atomic=True)
    assert list(split(plain)) == [f"{OLD} {NEW} {MAIN}\0 report-status".encode(), Mark.FLUSH]


@pytest.mark.parametrize("lacking", NEEDED)
def test_a_push_the_host_cannot_do_as_asked_is_not_made(lacking: str) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        render_push(UPDATES, ALL - {lacking}, atomic=True, options=("x",))
    assert caught.value.code == f"no-{lacking}"


def test_a_push_without_updates_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="at least one"):
        render_push((), ALL, atomic=False)


def test_the_advertisement_names_what_may_be_pushed_to_in_order() -> None:
    refs = {TAG: OLD, MAIN: NEW, "refs/pull/1/head": OLD, "refs/heads/a..b": OLD, "refs/heads/odd": "xyz", "HEAD": OLD}
    lines = list(split(push_advertisement({**refs, "refs/heads/null": ZERO})))
    assert lines[:2] == [b"# service=git-receive-pack\n", Mark.FLUSH]
    assert isinstance(lines[2], bytes)
    first, _, abilities = lines[2].partition(b"\0")
    assert (first, lines[3:]) == (f"{NEW} {MAIN}".encode(), [f"{OLD} {TAG}\n".encode(), Mark.FLUSH])
    assert {b"report-status", b"atomic", b"side-band-64k", b"object-format=sha1"} <= set(abilities.split())


def test_an_empty_repository_advertises_abilities_alone_and_none_that_the_host_lacks() -> None:
    lines = list(split(push_advertisement({}, upstream=frozenset({"delete-refs"}))))
    assert isinstance(lines[2], bytes)
    first, _, abilities = lines[2].partition(b"\0")
    assert first == f"{ZERO} capabilities^{{}}".encode()
    assert b"delete-refs" in abilities.split()
    assert not {b"atomic", b"push-options"} & set(abilities.split())
