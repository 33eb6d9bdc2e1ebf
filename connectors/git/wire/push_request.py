"""A push as a client sends it: which refs it moves, with which capabilities and options; the pack is handed on.

    update-requests = *PKT-LINE("shallow" SP oid) *PKT-LINE(old SP new SP name [NUL capabilities]) flush
                      [*PKT-LINE(option) flush] [pack]

gitprotocol-pack(5), "Reference Update Request and Packfile Transfer". Read here and nowhere else: the host gets
commands that are made again from what was judged (`connectors.git.wire.upstream_push`). A client with a shallow clone
says where its history ends; that is read and dropped, as the host has all of it and the quarantine proves that nothing
is missing. NOT checked here: whether the old object ids are those the host has, and anything inside the pack.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

from connectors.errors import InvalidParamsError
from connectors.git.names import check_ref
from connectors.git.wire.packets import Mark, PacketReader, WireError, WireFault, chomped

MAX_UPDATES: Final = 64
"""As many as a bundle may have refs."""
MAX_HEAD_BYTES: Final = 100_000
"""All before the pack: 64 refs of the longest names take 20 kB, options 16 kB, where shallow clones end 53 kB."""
MAX_SHALLOW: Final = 1_000
"""Commits at which a shallow clone may end."""
MAX_OPTIONS: Final = 16
MAX_OPTION_BYTES: Final = 1024
NULL_OID: Final = "0" * 40
"""Stands for "no such ref": before a creation, after a deletion."""

_COMMAND: Final = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) (.+)", re.DOTALL)
_SHALLOW: Final = re.compile(rb"shallow [0-9a-f]{40}")
_OPTION: Final = re.compile(rb"[ -~]+")
_CAPABILITIES: Final = frozenset(
    (
        "report-status",
        "report-status-v2",
        "side-band-64k",
        "atomic",
        "delete-refs",
        "quiet",
        "ofs-delta",
        "push-options",
    )
)
_VALUED: Final = re.compile(r"(agent|session-id)=[!-~]{1,256}")
_OBJECT_FORMAT: Final = "object-format="
_TOO_MANY_REFS: Final = (WireFault.TOO_MANY_REFS, f"a push has at most {MAX_UPDATES} refs", "push in parts")
_TOO_SHALLOW: Final = (
    WireFault.TOO_SHALLOW,
    f"the shallow clone ends at more than {MAX_SHALLOW} commits",
    "run `git fetch --unshallow` first",
)


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One command of a push.

    Args:
        ref: Checked full name of a branch or tag.
        old: Object id the client believes the ref to have, `NULL_OID` for none; nobody has verified it.
        new: Object id it is to have, `NULL_OID` to delete it; never the same as ``old``.
    """

    ref: str
    old: str
    new: str

    @property
    def deletes(self) -> bool:
        """True when it takes the ref away."""
        return self.new == NULL_OID


@dataclass(frozen=True, slots=True)
class PushRequest:
    """What a client asks for.

    Args:
        updates: The commands, in the order sent; none in a lone flush packet, with which git tries whether it may push
            at all before a long upload, and which is answered by an empty body.
        capabilities: What the client chose of what was advertised, verbatim.
        options: Push options.
    """

    updates: tuple[RefUpdate, ...] = ()
    capabilities: frozenset[str] = frozenset()
    options: tuple[str, ...] = ()

    @property
    def atomic(self) -> bool:
        """True when all refs are to move or none."""
        return "atomic" in self.capabilities

    @property
    def wants_report(self) -> bool:
        """True when the client reads a report; it takes silence for success otherwise."""
        return bool(self.capabilities & {"report-status", "report-status-v2"})

    @property
    def sideband(self) -> bool:
        """True when the answer is multiplexed, so that progress can be shown."""
        return "side-band-64k" in self.capabilities


async def read_push_request(pieces: AsyncIterator[bytes]) -> tuple[PushRequest, AsyncIterator[bytes]]:
    """Read everything before the pack.

    Args:
        pieces: The body, without content encoding.

    Returns:
        The request, and the pack as it comes in: not read yet but for its first bytes, and empty where every command
        deletes.

    Raises:
        WireError: it is not taken; the code says why.
    """
    reader = PacketReader(pieces, limit_bytes=MAX_HEAD_BYTES)
    lines = await _commands(reader)
    if not lines:
        return PushRequest(), await _no_pack(reader)
    first, _, abilities = lines[0].partition(b"\0")
    capabilities = _capabilities(abilities)
    updates = tuple(_command(line) for line in (first, *lines[1:]))
    _check_together(updates)
    options = await _options(reader) if "push-options" in capabilities else ()
    request = PushRequest(updates, capabilities, options)
    if all(update.deletes for update in updates):
        return request, await _no_pack(reader)
    if await reader.peek(4) != b"PACK":
        raise WireError(WireFault.MISSING_PACK, "expected a pack after the commands")
    return request, reader.rest()


def checked_updates(updates: Iterable[RefUpdate]) -> tuple[RefUpdate, ...]:
    """Return updates that came in another form than commands, held to the same rules.

    Raises:
        InvalidParamsError: a name is not one, an update changes nothing, or two of them do not go together.
    """
    checked = tuple(updates)
    for each in checked:
        check_ref(each.ref)
        if each.old == each.new:
            raise WireError(WireFault.NO_CHANGE, f"the update of `{each.ref}` changes nothing")
    _check_together(checked)
    return checked


async def _lines(reader: PacketReader) -> AsyncIterator[bytes]:
    """Yield the lines up to the next flush packet."""
    while (packet := await reader.read()) is not Mark.FLUSH:
        if not isinstance(packet, bytes):
            raise WireError(WireFault.MALFORMED, "expected a line or a flush packet")
        yield chomped(packet)


async def _commands(reader: PacketReader) -> list[bytes]:
    """Return the lines of the commands, without those before them that say where a shallow clone ends."""
    commands: list[bytes] = []
    shallow = 0
    async for line in _lines(reader):
        if not commands and _SHALLOW.fullmatch(line) is not None:
            shallow += 1
            if shallow > MAX_SHALLOW:
                raise WireError(*_TOO_SHALLOW)
            continue
        if len(commands) == MAX_UPDATES:
            raise WireError(*_TOO_MANY_REFS)
        commands.append(line)
    return commands


def _command(line: bytes) -> RefUpdate:
    if line.startswith(b"push-cert"):
        raise WireError(WireFault.SIGNED_PUSH, "signed pushes are not taken", "push with `--no-signed`")
    found = _COMMAND.fullmatch(line)
    if found is None:
        raise WireError(WireFault.MALFORMED, "a command is not old object id, new object id and name of a ref")
    old, new, name = found[1].decode(), found[2].decode(), found[3].decode("utf-8", "backslashreplace")
    try:
        ref = check_ref(name)
    except InvalidParamsError as error:
        raise WireError(WireFault.BAD_REF, str(error), error.fix) from None
    if old == new:
        raise WireError(WireFault.NO_CHANGE, f"the command for `{ref}` changes nothing")
    return RefUpdate(ref, old, new)


def _capabilities(listed: bytes) -> frozenset[str]:
    found = frozenset(listed.decode("utf-8", "backslashreplace").split(" ")) - {""}
    for each in sorted(found):
        if each.startswith(_OBJECT_FORMAT) and each != f"{_OBJECT_FORMAT}sha1":
            raise WireError(WireFault.OBJECT_FORMAT, "only repositories with sha-1 object ids are served")
        if each not in _CAPABILITIES and not each.startswith(_OBJECT_FORMAT) and _VALUED.fullmatch(each) is None:
            raise WireError(WireFault.BAD_CAPABILITY, f"capability `{ascii(each[:80])[1:-1]}` was not advertised")
    return found


def _check_together(updates: tuple[RefUpdate, ...]) -> None:
    """Refuse names that a host without regard to case, or one with a file for each ref, could take for each other."""
    folded = {update.ref.lower(): update.ref for update in updates}
    if len(folded) != len(updates):
        raise WireError(WireFault.CLASHING_REFS, "two commands are for one ref, or for two that differ in case only")
    for name, ref in folded.items():
        parts = name.split("/")
        if any("/".join(parts[:count]) in folded for count in range(1, len(parts))):
            raise WireError(WireFault.CLASHING_REFS, f"`{ref}` stands below another ref of the same push")


async def _options(reader: PacketReader) -> tuple[str, ...]:
    options: list[str] = []
    async for line in _lines(reader):
        if len(options) == MAX_OPTIONS:
            raise WireError(WireFault.BAD_OPTION, f"a push has at most {MAX_OPTIONS} push options")
        if len(line) > MAX_OPTION_BYTES or _OPTION.fullmatch(line) is None:
            raise WireError(
                WireFault.BAD_OPTION, f"a push option is 1 to {MAX_OPTION_BYTES} printable ASCII characters"
            )
        options.append(line.decode())
    return tuple(options)


async def _no_pack(reader: PacketReader) -> AsyncIterator[bytes]:
    if await reader.peek(1):
        raise WireError(WireFault.UNEXPECTED_PACK, "something follows commands that need no pack")
    return reader.rest()
