"""What became of a push, ref by ref: read from the host, and said to the client.

    unpack-status flush = PKT-LINE("unpack" SP ("ok" | error)) 1*PKT-LINE("ok" SP ref | "ng" SP ref SP error) flush

gitprotocol-pack(5), "Report Status". Lines of ``report-status-v2`` that add to an ``ok`` are read over: we never ask a
host for them. The host is not trusted: a report that cannot be read leaves the outcome unknown, never a crash and never
a yes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.errors import OutcomeUnknownError
from connectors.git.wire.packets import Mark, Packet, WireError, chomped, render, split
from connectors.git.wire.sideband import cleaned, report_packet

MAX_REPORT_BYTES: Final = 4 << 20
"""A report with all a hook has to say beside it."""
MAX_RESULTS: Final = 1024
"""Far more than the refs of one push."""
MAX_WORD_LINES: Final = 100
"""Lines of the host's own words that are kept, the last ones."""

_OK: Final = b"ok"
_MAX_REASON_CHARS: Final = 1000
_MAX_LINE_BYTES: Final = 4096
_BANDS: Final = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class PushReport:
    """What the host says.

    Args:
        unpack: Why it did not take the pack; empty when it did.
        results: Name of a ref to why it was not moved, empty when it was. A ref that is not there was not reported on.
        words: What the host's hooks said beside it, cleaned, one line each.
    """

    unpack: str
    results: Mapping[str, str]
    words: tuple[str, ...] = ()


def parse_report(body: bytes, clean: Callable[[bytes], str]) -> PushReport:
    """Read the host's answer to a push, bare or multiplexed.

    Args:
        body: The answer.
        clean: Makes words of the host fit to be shown: without credential and control characters, not long.

    Raises:
        OutcomeUnknownError: no whole report can be read from it.
    """
    if len(body) > MAX_REPORT_BYTES:
        raise OutcomeUnknownError(f"the report of the git host has more than {MAX_REPORT_BYTES} bytes")
    try:
        data, said, failure = _demultiplexed(body)
        words = _words(said + failure, clean)
        report = _parse(split(data), clean) if data else None
    except WireError:
        raise OutcomeUnknownError("the report of the git host is malformed") from None
    if report is None:
        raise OutcomeUnknownError("the git host gave no report" + (f": {words[-1]}" if words else ""))
    return PushReport(report.unpack, report.results, words)


def render_report(unpack: str, results: Mapping[str, str], *, sideband: bool) -> bytes:
    """Return a report as a client of ``report-status`` reads it, whole.

    Args:
        unpack: Why no pack was taken; empty when it was.
        results: Checked name of a ref to why it was not moved, empty when it was.
        sideband: The client chose ``side-band-64k``.
    """
    lines = [f"unpack {_reason(unpack) if unpack else 'ok'}\n"]
    lines += [f"ng {ref} {_reason(why)}\n" if why else f"ok {ref}\n" for ref, why in results.items()]
    report = b"".join(render(line.encode()) for line in lines) + Mark.FLUSH.value
    return report_packet(report) if sideband else report


def _demultiplexed(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Return report, progress and error; a report that is not multiplexed begins with a letter."""
    packets = list(split(body))
    if not packets or not isinstance(packets[0], bytes) or packets[0][0] not in _BANDS:
        return body, b"", b""
    channels = {band: bytearray() for band in _BANDS}
    for packet in packets:
        if packet is Mark.FLUSH:
            break
        if not isinstance(packet, bytes) or packet[0] not in _BANDS:
            raise _malformed()
        channels[packet[0]] += packet[1:]
    return bytes(channels[1]), bytes(channels[2]), bytes(channels[3])


def _parse(packets: Iterator[Packet], clean: Callable[[bytes], str]) -> PushReport:
    verb, _, why = _line(packets).partition(b" ")
    if verb != b"unpack":
        raise _malformed()
    unpack = "" if why == _OK else clean(why) or "unknown error"
    results: dict[str, str] = {}
    while line := _line(packets):
        verb, _, rest = line.partition(b" ")
        name, _, why = rest.partition(b" ")
        if verb == b"option" and results:
            continue
        ref = name.decode("utf-8", "backslashreplace")
        # Two results for one ref cannot both be true.
        if verb not in {_OK, b"ng"} or not name or ref in results or len(results) == MAX_RESULTS:
            raise _malformed()
        results[ref] = "" if verb == _OK else clean(why) or "unknown reason"
    return PushReport(unpack, results)


def _line(packets: Iterator[Packet]) -> bytes:
    """Return the next line, nothing for the flush packet that ends the report."""
    packet = next(packets, None)
    if packet is Mark.FLUSH:
        return b""
    line = chomped(packet) if isinstance(packet, bytes) else b""
    if not line:
        raise _malformed()
    return line


def _words(said: bytes, clean: Callable[[bytes], str]) -> tuple[str, ...]:
    # A progress meter rewrites its line again and again; only what it came to is worth keeping.
    lines = [line.rstrip(b"\r").rpartition(b"\r")[2] for line in said.split(b"\n")]
    return tuple(text for line in lines[-MAX_WORD_LINES - 1 :] if (text := clean(line[-_MAX_LINE_BYTES:])))


def _reason(text: str) -> str:
    return " ".join(cleaned(text).split())[:_MAX_REASON_CHARS] or "refused"


def _malformed() -> OutcomeUnknownError:
    return OutcomeUnknownError("the report of the git host is malformed")
