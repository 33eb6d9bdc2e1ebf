from __future__ import annotations

import pytest

from connectors.errors import InvalidParamsError
from connectors.git.wire.packets import Mark, WireError, WireFault
from connectors.git.wire.push_request import (
    MAX_OPTIONS,
    MAX_SHALLOW,
    MAX_UPDATES,
    PushRequest,
    RefUpdate,
    checked_updates,
    read_push_request,
)
from tests.parts.git_wire import NEW, OLD, PACK, ZERO, joined, packets, pieces

MAIN = "refs/heads/main"
STOCK = "\0 report-status-v2 side-band-64k object-format=sha1 agent=git/2.39.5"


async def request(*lines: str, pack: bytes = PACK, size: int = 7) -> tuple[PushRequest, bytes]:
    found, rest = await read_push_request(pieces(packets(*lines, Mark.FLUSH) + pack, size))
    return found, await joined(rest)


async def refused(*lines: str, pack: bytes = PACK) -> WireFault:
    with pytest.raises(WireError) as caught:
        await request(*lines, pack=pack, size=1 << 16)
    return caught.value.code


async def test_commands_capabilities_and_pack_are_told_apart() -> None:
    found, pack = await request(f"{OLD} {NEW} {MAIN}{STOCK}", f"{ZERO} {NEW} refs/tags/v1\n")
    assert found.updates == (RefUpdate(MAIN, OLD, NEW), RefUpdate("refs/tags/v1", ZERO, NEW))
    assert found.capabilities == {"report-status-v2", "side-band-64k", "object-format=sha1", "agent=git/2.39.5"}
    assert (found.wants_report, found.sideband, found.atomic, found.options) == (True, True, False, ())
    assert pack == PACK


async def test_push_options_come_in_a_section_of_their_own() -> None:
    body = packets(f"{OLD} {NEW} {MAIN}\0atomic push-options", Mark.FLUSH, "ci.skip", "k=v w", Mark.FLUSH) + PACK
    found, rest = await read_push_request(pieces(body))
    assert (found.options, found.atomic, found.wants_report) == (("ci.skip", "k=v w"), True, False)
    assert await joined(rest) == PACK


async def test_a_push_that_only_deletes_has_no_pack() -> None:
    found, rest = await request(f"{OLD} {ZERO} {MAIN}{STOCK}", pack=b"")
    assert (found.updates[0].deletes, rest) == (True, b"")
    assert await refused(f"{OLD} {ZERO} {MAIN}{STOCK}") is WireFault.UNEXPECTED_PACK


async def test_a_lone_flush_packet_asks_for_nothing() -> None:
    assert await request(pack=b"") == (PushRequest(), b"")
    assert await refused() is WireFault.UNEXPECTED_PACK


@pytest.mark.parametrize("pack", [b"", b"PAC", b"PUCK" + PACK, b"0000"])
async def test_a_push_that_brings_objects_needs_a_pack(pack: bytes) -> None:
    assert await refused(f"{OLD} {NEW} {MAIN}{STOCK}", pack=pack) is WireFault.MISSING_PACK


@pytest.mark.parametrize(
    "ref",
    [
        "HEAD",
        "main",
        "refs/pull/1/head",
        "refs/notes/commits",
        "refs/heads/feature/../main",
        "refs/heads/a@{1}",
        "refs/heads/m\u0430in",
        "refs/heads/a\x7f",
        "refs/heads/a\0b",
        "refs/heads/a\nb",
        "refs/heads/a\n\n",
        "refs/heads/",
        "refs/heads/-a",
        "refs/heads/a.lock",
        "refs/heads/HEAD",
        "refs/heads/refs/heads/main",
        "refs/heads/" + "a" * 200,
        "refs/hidden/x",
        " refs/heads/main",
        "refs/heads/main ",
    ],
)
async def test_a_name_that_is_no_plain_branch_or_tag_is_refused(ref: str) -> None:
    assert await refused(f"{OLD} {NEW} refs/heads/first{STOCK}", f"{OLD} {NEW} {ref}") is WireFault.BAD_REF


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("refs/heads/main", "refs/heads/main"),
        ("refs/heads/main", "refs/heads/Main"),
        ("refs/heads/a", "refs/heads/a/b"),
        ("refs/heads/a/b/c", "refs/heads/A"),
    ],
)
async def test_two_names_that_a_host_may_take_for_each_other_are_refused(one: str, other: str) -> None:
    assert await refused(f"{OLD} {NEW} {one}{STOCK}", f"{OLD} {NEW} {other}") is WireFault.CLASHING_REFS


async def test_names_that_only_begin_alike_do_not_clash() -> None:
    found, _ = await request(*(f"{ZERO} {NEW} refs/heads/{name}" for name in ("a", "ab", "a.b", "b/a")))
    assert len(found.updates) == 4


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (f"{OLD} {OLD} {MAIN}", WireFault.NO_CHANGE),
        (f"{ZERO} {ZERO} {MAIN}", WireFault.NO_CHANGE),
        (f"shallow {OLD.upper()}", WireFault.MALFORMED),
        (f"shallow {OLD[1:]}", WireFault.MALFORMED),
        (f"shallow {OLD} {NEW}", WireFault.MALFORMED),
        ("push-cert\0push-options", WireFault.SIGNED_PUSH),
        (f"{OLD} {NEW}", WireFault.MALFORMED),
        (f"{OLD} {NEW} ", WireFault.MALFORMED),
        (f"{OLD.upper()} {NEW} {MAIN}", WireFault.MALFORMED),
        (f"{OLD}  {NEW} {MAIN}", WireFault.MALFORMED),
        (f"{OLD[1:]} {NEW} {MAIN}", WireFault.MALFORMED),
        (f"{OLD}{'a' * 24} {NEW}{'a' * 24} {MAIN}", WireFault.MALFORMED),
        (f"{OLD} {NEW} {MAIN}\0object-format=sha256", WireFault.OBJECT_FORMAT),
        (f"{OLD} {NEW} {MAIN}\0push-cert=x", WireFault.BAD_CAPABILITY),
        (f"{OLD} {NEW} {MAIN}\0atomic\tquiet", WireFault.BAD_CAPABILITY),
        (f"{OLD} {NEW} {MAIN}\0agent=", WireFault.BAD_CAPABILITY),
        (f"{OLD} {NEW} {MAIN}\0agent={'x' * 300}", WireFault.BAD_CAPABILITY),
        (f"{OLD} {NEW} {MAIN}\0atomic\0quiet", WireFault.BAD_CAPABILITY),
    ],
)
async def test_a_command_that_is_not_one_of_ours_is_refused_with_its_code(line: str, fault: WireFault) -> None:
    assert await refused(line) is fault


async def test_where_a_shallow_clone_ends_is_read_and_dropped() -> None:
    ends = [f"shallow {number:040x}" for number in range(MAX_SHALLOW)]
    found, pack = await request(*ends, f"{OLD} {NEW} {MAIN}{STOCK}", size=1 << 16)
    assert (found.updates, pack) == ((RefUpdate(MAIN, OLD, NEW),), PACK)
    assert found.wants_report
    assert await refused(f"shallow {NEW}", *ends, f"{OLD} {NEW} {MAIN}{STOCK}") is WireFault.TOO_SHALLOW


async def test_where_a_shallow_clone_ends_is_said_before_the_commands_only() -> None:
    assert await refused(f"{OLD} {NEW} {MAIN}{STOCK}", f"shallow {OLD}") is WireFault.MALFORMED


async def test_the_ends_of_a_shallow_clone_alone_ask_for_nothing() -> None:
    assert await request(f"shallow {OLD}", pack=b"") == (PushRequest(), b"")


async def test_the_number_of_refs_is_bounded() -> None:
    lines = [f"{ZERO} {NEW} refs/heads/b{number}" for number in range(MAX_UPDATES + 1)]
    assert len((await request(*lines[1:]))[0].updates) == MAX_UPDATES
    assert await refused(*lines) is WireFault.TOO_MANY_REFS


@pytest.mark.parametrize(
    "options", [["a"] * (MAX_OPTIONS + 1), ["x" * 1025], ["caf\u00e9"], ["a\x1b[2J"], ["a\0b"], ["\n"]]
)
async def test_push_options_are_few_short_and_printable(options: list[str]) -> None:
    body = packets(f"{OLD} {NEW} {MAIN}\0push-options", Mark.FLUSH, *options, Mark.FLUSH) + PACK
    with pytest.raises(WireError) as caught:
        await read_push_request(pieces(body))
    assert caught.value.code is WireFault.BAD_OPTION


async def test_a_head_that_grows_and_grows_is_refused() -> None:
    body = packets(f"{OLD} {NEW} {MAIN}{STOCK}", *("x" * 60_000 for _ in range(3)))
    with pytest.raises(WireError) as caught:
        await read_push_request(pieces(body))
    assert caught.value.code is WireFault.TOO_LARGE


@pytest.mark.parametrize("end", [b"", Mark.DELIM.value, b"0004", b"00"])
async def test_commands_end_with_a_flush_packet(end: bytes) -> None:
    with pytest.raises(WireError) as caught:
        await read_push_request(pieces(packets(f"{OLD} {NEW} {MAIN}{STOCK}") + end))
    assert caught.value.code is WireFault.MALFORMED


def test_updates_in_another_form_are_held_to_the_same_rules() -> None:
    good = RefUpdate(MAIN, OLD, NEW)
    assert checked_updates([good]) == (good,)
    for bad in ([RefUpdate("HEAD", OLD, NEW)], [RefUpdate(MAIN, OLD, OLD)], [good, RefUpdate(f"{MAIN}/x", ZERO, NEW)]):
        with pytest.raises(InvalidParamsError):
            checked_updates(bad)
