"""The pack protocol on our side of the door: no input brings a parser down, and what we render is read back."""

from __future__ import annotations

import asyncio

from hypothesis import example, given
from hypothesis import strategies as st

from connectors.errors import InvalidParamsError, OutcomeUnknownError
from connectors.git.names import check_ref
from connectors.git.wire.fetch_request import check_fetch
from connectors.git.wire.packets import MAX_DATA_BYTES, Mark, PacketReader, WireError, split
from connectors.git.wire.push_request import PushRequest, RefUpdate, read_push_request
from connectors.git.wire.report import parse_report, render_report
from connectors.git.wire.sideband import fatal, progress
from connectors.git.wire.upstream_push import render_push
from connectors.git.workshop import Cleaner
from tests.parts.git_wire import NEW, OLD, PACK, ZERO, joined, packets, pieces

CLEAN = Cleaner("Bearer s3cret")
ABLE = frozenset(("report-status", "atomic", "push-options", "delete-refs", "side-band-64k", "object-format=sha1"))
REFS = st.from_regex(r"refs/(heads|tags)/[a-z0-9][a-z0-9_.-]{0,8}(/[a-z0-9]{1,3})?", fullmatch=True)
WORDS = st.sampled_from(
    ["want ", "have ", "done", "command=fetch", "command=ls-refs", "shallow ", "deepen 1", "unpack ok", "ok ", "ng ",
     "\0", " report-status", " push-options", "push-cert", "\n", "refs/heads/main", OLD, NEW, ZERO, " ", "\1", "\2",
     "\3", "agent=x", "want-ref ", "\u202e", "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")]
)  # fmt: skip
LINES = st.lists(WORDS, min_size=1, max_size=6).map("".join) | st.binary(min_size=1, max_size=40)
ITEMS = LINES | st.sampled_from(list(Mark))
BODIES = st.lists(ITEMS, max_size=8).map(lambda items: packets(*items)) | st.binary(max_size=200)
SIZES = st.integers(1, 80)


@st.composite
def updates(draw: st.DrawFn) -> tuple[RefUpdate, ...]:
    """Commands that may stand in one push."""
    names = draw(st.lists(REFS, min_size=1, max_size=5, unique=True))
    moves = st.sampled_from([(ZERO, NEW), (OLD, NEW), (OLD, ZERO)])
    found: list[RefUpdate] = []
    for name in names:
        clashes = any(
            f"{name}/".startswith(f"{other.ref}/") or f"{other.ref}/".startswith(f"{name}/") for other in found
        )
        if not clashes and plain(name):
            found.append(RefUpdate(name, *draw(moves)))
    return tuple(found)


def plain(name: str) -> bool:
    try:
        check_ref(name)
    except InvalidParamsError:
        return False
    return True


async def read(body: bytes, size: int) -> tuple[PushRequest, bytes] | None:
    try:
        request, rest = await read_push_request(pieces(body, size))
    except WireError:
        return None
    return request, await joined(rest)


@given(BODIES, SIZES)
@example(packets(f"{OLD} {NEW} refs/heads/main\0", Mark.FLUSH) + PACK, 1)
def test_no_push_brings_its_parser_down_and_all_that_is_taken_is_within_bounds(body: bytes, size: int) -> None:
    found = asyncio.run(read(body, size))
    assert found == asyncio.run(read(body, 1 << 20)), "what is read depends on the pieces it comes in"
    for update in found[0].updates if found else ():
        assert check_ref(update.ref) == update.ref
        assert update.old != update.new


@given(updates().filter(bool), st.booleans(), st.lists(st.from_regex(r"[!-~]{1,9}", fullmatch=True), max_size=3), SIZES)
def test_a_push_that_is_rendered_is_read_back(
    commands: tuple[RefUpdate, ...], atomic: bool, options: list[str], size: int
) -> None:
    pack = b"" if all(each.deletes for each in commands) else PACK
    head = render_push(commands, ABLE, atomic=atomic, options=options)
    found = asyncio.run(read(head + pack, size))
    assert found is not None
    request, rest = found
    assert (request.updates, request.options, rest) == (commands, tuple(options), pack)
    assert request.atomic is (atomic and len(commands) > 1)


def refusal_of(body: bytes, protocol: str) -> str:
    try:
        check_fetch(body, protocol)
    except WireError as error:
        return str(error)
    return ""


@given(BODIES, st.sampled_from(["", "version=1", "version=2"]))
def test_no_request_of_a_fetch_brings_its_parser_down_and_its_refusal_prints(body: bytes, protocol: str) -> None:
    assert refusal_of(body, protocol).isprintable()


@given(BODIES)
def test_no_report_brings_its_parser_down_and_its_words_are_clean(body: bytes) -> None:
    try:
        report = parse_report(body, CLEAN)
    except OutcomeUnknownError:
        return
    assert all(text.isprintable() for text in (*report.words, report.unpack, *report.results.values()))


@given(st.dictionaries(REFS, st.text(max_size=30), max_size=5), st.text(max_size=30), st.booleans())
def test_a_report_that_is_rendered_is_read_back(results: dict[str, str], unpack: str, sideband: bool) -> None:
    report = parse_report(render_report(unpack, results, sideband=sideband), CLEAN)
    assert {ref: bool(why) for ref, why in report.results.items()} == {ref: bool(why) for ref, why in results.items()}
    assert bool(report.unpack) is bool(unpack)


@given(st.text(max_size=300) | st.text(max_size=3).map(lambda text: text * 30_000))
def test_whatever_is_shown_to_a_person_is_whole_packets_of_lines_that_print(text: str) -> None:
    shown = b"".join(packet[1:] for packet in split(progress(text)) if isinstance(packet, bytes)).decode()
    assert all(line.isprintable() for line in shown.split("\n"))
    (error,) = split(fatal(text))
    assert isinstance(error, bytes)
    assert error[1:-1].decode().isprintable()


@given(st.lists(st.binary(min_size=1, max_size=50) | st.just(b"x" * MAX_DATA_BYTES) | st.sampled_from(Mark)), SIZES)
def test_packets_are_the_same_in_one_body_and_in_pieces(items: list[bytes | Mark], size: int) -> None:
    body = packets(*items)

    async def all_of() -> list[bytes | Mark]:
        reader = PacketReader(pieces(body, size * 100), limit_bytes=len(body) + 4)
        found: list[bytes | Mark] = []
        while (packet := await reader.read()) is not None:
            found.append(packet)
        return found

    assert list(split(body)) == asyncio.run(all_of()) == items
