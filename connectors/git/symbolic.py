"""Which refs of a host are other names for refs: a push to one of them would move another than the one policy judged.

The advertisement of protocol version 0 tells this of ``HEAD`` alone, so it is asked by ``ls-refs`` of version 2
(gitprotocol-v2(5)). A host that does not speak it cannot say, and is not pushed to.
"""

from __future__ import annotations

from typing import Final

from connectors.base import Body
from connectors.errors import UpstreamRefusedError
from connectors.git.advertisement import MAX_ADVERTISEMENT_BYTES
from connectors.git.remote import Remote
from connectors.git.wire.packets import Mark, WireError, chomped, render, split

_PROTOCOL: Final = "version=2"
_TARGET: Final = b"symref-target:"
_OID_CHARS: Final = 40


async def symbolic_refs(
    remote: Remote, wanted: tuple[str, ...], *, limit_bytes: int = MAX_ADVERTISEMENT_BYTES
) -> dict[str, str]:
    """Return those of some refs that are other names, with the ref each stands for.

    Args:
        remote: The repository.
        wanted: Full names.
        limit_bytes: Most bytes of the host's list.

    Raises:
        UpstreamRefusedError: the host said no, or cannot tell; code ``no-protocol-2``.
        NotSentError, OutcomeUnknownError: as `Remote.upload_pack`.
    """
    asked = [b"command=ls-refs\n", b"agent=ostiary\n", b"object-format=sha1\n"]
    prefixes = [f"ref-prefix {ref}\n".encode() for ref in wanted]
    request = b"".join(map(render, asked)) + Mark.DELIM.value + b"".join(map(render, [b"symrefs\n", *prefixes]))
    try:
        answer = await _whole(await remote.upload_pack(request + Mark.FLUSH.value, _PROTOCOL), limit_bytes)
        return _targets(answer, frozenset(wanted))
    except WireError:
        raise UpstreamRefusedError(
            "the git host does not speak protocol version 2, so it cannot be told which refs are names for others",
            code="no-protocol-2",
        ) from None


def _targets(answer: bytes, wanted: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for packet in split(answer):
        if packet is Mark.FLUSH:
            return found
        if not isinstance(packet, bytes) or packet[_OID_CHARS : _OID_CHARS + 1] != b" ":
            break
        name, *attributes = chomped(packet)[_OID_CHARS + 1 :].decode("utf-8", "backslashreplace").split(" ")
        target = next((each for each in attributes if each.startswith(_TARGET.decode())), "")
        if target and name in wanted:
            found[name] = target.removeprefix(_TARGET.decode())
    raise UpstreamRefusedError("the list of refs of the git host is malformed", code="no-protocol-2")


async def _whole(body: Body, limit_bytes: int) -> bytes:
    answer = bytearray()
    try:
        async for piece in body:
            answer += piece
            if len(answer) > limit_bytes:
                raise UpstreamRefusedError("the list of refs of the git host is too large", code="bad-answer")
    finally:
        await body.aclose()
    return bytes(answer)
