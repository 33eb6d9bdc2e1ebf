"""The request of a fetch or a listing, checked and forwarded byte for byte.

Nothing is made again here: a read changes nothing upstream, and policy has allowed the whole repository. What is
checked is that the request is one, in its own protocol version and within bounds, and that its answer can hold nothing
but what the host sends through us: ``packfile-uris`` and ``bundle-uri`` would lead the client elsewhere.

gitprotocol-pack(5), "Packfile Negotiation", for versions 0 and 1; gitprotocol-v2(5), "Command Request".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from connectors.errors import InvalidParamsError
from connectors.git.names import check_ref
from connectors.git.wire.packets import Mark, Packet, WireError, WireFault, chomped, split

MAX_REQUEST_BYTES: Final = 8 << 20
"""About 150 000 wants or haves."""
MAX_LINE_BYTES: Final = 4096
"""Longest line but the first of version 0, which holds the capabilities; those are bounded by their grammar."""

_V2: Final = "version=2"
_PROTOCOLS: Final = MappingProxyType({"": "", "version=0": "", "version=1": "version=1", _V2: _V2})

# Each line is one alternative of its section's grammar; at most one group is named in each, and that is its kind.
_OID: Final = rb"[0-9a-f]{40}"
_WANT: Final = rb"(?P<want>want) " + _OID
_NEGOTIATION: Final = rb"(?P<have>have) " + _OID + rb"|done"
_DEPTH: Final = (
    rb"shallow " + _OID + rb"|deepen [0-9]{1,10}|deepen-relative|deepen-since [0-9]{1,20}|deepen-not [!-~]{1,255}"
)
_FILTER: Final = rb"filter [a-z][!-~]{0,999}"
_SAID: Final = rb"agent=[!-~]{1,256}|session-id=[!-~]{1,256}|object-format=sha1"

_V0_FIRST: Final = re.compile(rb"want " + _OID + rb"((?: [!-~]{1,300}){0,40}) ?")
_V0_CAPABILITY: Final = re.compile(
    rb"multi_ack|multi_ack_detailed|no-done|thin-pack|side-band|side-band-64k|ofs-delta|shallow|deepen-since|deepen-not"
    rb"|deepen-relative|no-progress|include-tag|allow-tip-sha1-in-want|allow-reachable-sha1-in-want|filter|" + _SAID
)
_V0_ARGUMENT: Final = re.compile(b"|".join((_WANT, _DEPTH, _FILTER)))
_V0_NEGOTIATION: Final = re.compile(_NEGOTIATION)

_V2_CAPABILITY: Final = re.compile(_SAID)
_V2_FETCH: Final = (
    _WANT,
    rb"want-ref (?P<ref>.+)",
    rb"thin-pack|no-progress|include-tag|ofs-delta|sideband-all|wait-for-done",
    _NEGOTIATION,
    _DEPTH,
    _FILTER,
)
_V2_ARGUMENTS: Final[Mapping[bytes, re.Pattern[bytes]]] = MappingProxyType(
    {
        b"ls-refs": re.compile(rb"peel|symrefs|unborn|ref-prefix [!-~]{0,1000}"),
        b"fetch": re.compile(b"|".join(_V2_FETCH)),
        b"object-info": re.compile(rb"size|(?P<want>oid) " + _OID),
    }
)


class FetchKind(StrEnum):
    """What a request asks for."""

    NOTHING = "nothing"
    """A lone flush packet: the client has all it wants, or tries whether it may ask at all."""
    LIST = "ls-refs"
    FETCH = "fetch"
    SIZES = "object-info"


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What a checked request says; for the ledger, nothing is made from it.

    Args:
        kind: What it asks for.
        wants: How many objects or refs it wants.
        haves: How many commits the client says it has.
        refs: Refs it wants by name.
    """

    kind: FetchKind
    wants: int = 0
    haves: int = 0
    refs: tuple[str, ...] = ()


def check_protocol(header: str) -> str:
    """Return the protocol version a client asks for, in the form in which it goes upstream.

    Args:
        header: Value of ``Git-Protocol`` as sent, empty when there was none.

    Returns:
        ``version=2``, ``version=1``, or empty for version 0.

    Raises:
        WireError: it is anything else; git sends nothing else.
    """
    known = _PROTOCOLS.get(header)
    if known is None:
        raise WireError(WireFault.BAD_PROTOCOL, f"expected `version=0`, `1` or `2`, found `{ascii(header[:80])[1:-1]}`")
    return known


def check_fetch(body: bytes, protocol: str) -> FetchRequest:
    """Check the body of ``POST git-upload-pack``.

    Args:
        body: The body, without content encoding.
        protocol: As `check_protocol` returned it.

    Raises:
        WireError: it is not forwarded; the code says why.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise WireError(WireFault.TOO_LARGE, f"the request has more than {MAX_REQUEST_BYTES} bytes")
    packets = split(body)
    first = next(packets, None)
    if first is Mark.FLUSH and next(packets, None) is None:
        return FetchRequest(FetchKind.NOTHING)
    if not isinstance(first, bytes):
        raise _malformed("it does not begin with a line")
    return _check_v2(first, packets) if protocol == _V2 else _check_v0(first, packets)


def _check_v2(first: bytes, packets: Iterator[Packet]) -> FetchRequest:
    """Check ``command=… capabilities [delimiter arguments] flush``, one command a request."""
    command = chomped(first).removeprefix(b"command=")
    grammar = _V2_ARGUMENTS.get(command) if first.startswith(b"command=") else None
    if grammar is None:
        raise WireError(WireFault.BAD_COMMAND, f"command `{_shown(command)}` is not served; `ls-refs` and `fetch` are")
    section = _section(packets, _V2_CAPABILITY)
    if section.end is Mark.DELIM:
        section = _section(packets, grammar)
    if section.end is not Mark.FLUSH or next(packets, None) is not None:
        raise _malformed("it does not end with its one flush packet")
    wants = section.kinds["want"] + len(section.refs)
    return FetchRequest(FetchKind(command.decode()), wants, section.kinds["have"], tuple(section.refs))


def _check_v0(first: bytes, packets: Iterator[Packet]) -> FetchRequest:
    """Check wants, the first with capabilities, a flush, rounds of haves, each ended by a flush, and at last ``done``.

    Over HTTP, what was said in earlier rounds is said again in each request.
    """
    want = _V0_FIRST.fullmatch(chomped(first))
    if want is None:
        raise _malformed("it does not begin with a want")
    for capability in want[1].split():
        if _V0_CAPABILITY.fullmatch(capability) is None:
            raise WireError(WireFault.BAD_CAPABILITY, f"capability `{_shown(capability)}` is not known")
    asked = _section(packets, _V0_ARGUMENT)
    if asked.end is not Mark.FLUSH:
        raise _malformed("its wants do not end with a flush packet")
    haves = 0
    for packet in packets:
        if packet is Mark.FLUSH:
            continue
        if _matched(packet, _V0_NEGOTIATION).lastgroup == "have":
            haves += 1
        elif next(packets, None) is not None:
            raise _malformed("something follows `done`")
    return FetchRequest(FetchKind.FETCH, 1 + asked.kinds["want"], haves)


@dataclass(frozen=True, slots=True)
class _Section:
    """Lines up to a mark: which one that was, how many lines there were of each kind, and the refs they name."""

    end: Mark
    kinds: Counter[str | None]
    refs: list[str]


def _section(packets: Iterator[Packet], grammar: re.Pattern[bytes]) -> _Section:
    kinds: Counter[str | None] = Counter()
    refs: list[str] = []
    for packet in packets:
        if isinstance(packet, Mark):
            return _Section(packet, kinds, refs)
        found = _matched(packet, grammar)
        kinds[found.lastgroup] += 1
        if found.lastgroup == "ref":
            refs.append(_wanted(found["ref"]))
    raise _malformed("it ends early")


def _matched(packet: Packet, grammar: re.Pattern[bytes]) -> re.Match[bytes]:
    line = chomped(packet) if isinstance(packet, bytes) else b""
    found = grammar.fullmatch(line) if len(line) <= MAX_LINE_BYTES else None
    if found is not None:
        return found
    if line.startswith(b"packfile-uris"):
        raise WireError(
            WireFault.PACKFILE_URIS, "packs at other addresses are not served", "unset `fetch.uriProtocols`"
        )
    raise _malformed(f"`{_shown(line)}` is not expected there")


def _wanted(name: bytes) -> str:
    text = name.decode("utf-8", "backslashreplace")
    if text == "HEAD":
        return text
    try:
        return check_ref(text)
    except InvalidParamsError as error:
        raise WireError(WireFault.BAD_REF, str(error), error.fix) from None


def _shown(line: bytes) -> str:
    """Return the start of a line as it may stand in a message."""
    return ascii(line[:80])[2:-1].replace("`", "'")


def _malformed(detail: str) -> WireError:
    return WireError(WireFault.MALFORMED, f"the request is not one of git's protocol: {detail}")
