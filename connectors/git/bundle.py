"""The bundle an agent uploads, read by the broker: which refs it moves, to which commits, on top of which others.

Format: gitformat-bundle(5), versions 2 and 3, SHA-1 objects, no filter. The header is parsed here and nowhere else
(git gets only the pack behind it), so what policy judged cannot be read in another way later. Order: signature,
capabilities, prerequisites, refs, an empty line, the pack. NOT checked here: the objects in the pack; that needs git
and is done before the push (`connectors.git.push`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connectors.errors import InvalidParamsError
from connectors.git.names import check_oid, check_ref

MAX_BUNDLE_BYTES: Final = 20 << 20
"""Of the decoded bundle; in base64 it still fits a request of 32 MiB with room for the rest."""
MAX_HEADER_BYTES: Final = 256 << 10
MAX_REFS: Final = 64
MAX_PREREQUISITES: Final = 1024
MAX_OBJECTS: Final = 1_000_000
"""What the pack claims to hold; index-pack allocates by it."""

_SIGNATURES: Final = {b"# v2 git bundle": 2, b"# v3 git bundle": 3}
_PREREQUISITE: Final = re.compile(rb"-([0-9a-f]{40})(?: [^\0\r]*)?")
_REF: Final = re.compile(rb"([0-9a-f]{40}) ([!-~]+)")
_PACK_HEADER_BYTES: Final = 12
_TRAILER_BYTES: Final = 20
_PACK_VERSIONS: Final = (2, 3)
_FIX: Final = "make it with `git bundle create <file> <branch>`, or `origin/main..<branch>` to send only what is new"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What the header says.

    Args:
        refs: Full ref name to new object id, in the order written; at least one.
        prerequisites: Commits the receiver must have, without repeats.
        pack_offset: Where the pack starts.
    """

    refs: dict[str, str]
    prerequisites: tuple[str, ...]
    pack_offset: int


def parse_bundle(data: bytes) -> Bundle:
    """Read the header of a bundle and check the frame of its pack.

    Raises:
        InvalidParamsError: it is not a bundle, is over a limit, or names anything but branches and tags.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise InvalidParamsError(f"the bundle has {len(data)} bytes, more than {MAX_BUNDLE_BYTES}", "push in parts")
    end = data.find(b"\n\n", 0, MAX_HEADER_BYTES)
    version = _SIGNATURES.get(data[: data.find(b"\n", 0, MAX_HEADER_BYTES)])
    if end < 0 or version is None:
        raise InvalidParamsError("the upload is not a git bundle of version 2 or 3", _FIX)
    lines = data[:end].split(b"\n")[1:]
    capabilities = _leading(lines, b"@") if version == 3 else 0  # noqa: PLR2004 - version 3 brought capabilities
    _check_capabilities(lines[:capabilities])
    del lines[:capabilities]
    count = _leading(lines, b"-")
    bundle = Bundle(_refs(lines[count:]), _prerequisites(lines[:count]), end + 2)
    _check_pack(memoryview(data)[end + 2 :])
    return bundle


def _leading(lines: list[bytes], mark: bytes) -> int:
    """How many lines at the start carry the mark."""
    return next((at for at, line in enumerate(lines) if not line.startswith(mark)), len(lines))


def _check_capabilities(lines: list[bytes]) -> None:
    # A filter would make the pack incomplete; anything else is unknown, and unknown means no.
    if [line for line in lines if line != b"@object-format=sha1"] or len(lines) > 1:
        raise InvalidParamsError("the bundle asks for capabilities other than `object-format=sha1`", _FIX)


def _prerequisites(lines: list[bytes]) -> tuple[str, ...]:
    if len(lines) > MAX_PREREQUISITES:
        raise InvalidParamsError(f"the bundle has {len(lines)} prerequisites, more than {MAX_PREREQUISITES}", _FIX)
    return tuple(dict.fromkeys(oid for oid in _prerequisite_oids(lines)))


def _prerequisite_oids(lines: list[bytes]) -> Iterator[str]:
    for line in lines:
        match = _PREREQUISITE.fullmatch(line)
        if match is None:
            raise InvalidParamsError("the bundle has a malformed prerequisite line", _FIX)
        yield check_oid(match[1].decode())


def _refs(lines: list[bytes]) -> dict[str, str]:
    if not lines or len(lines) > MAX_REFS:
        raise InvalidParamsError(f"the bundle names {len(lines)} refs, expected 1 to {MAX_REFS}", _FIX)
    refs: dict[str, str] = {}
    folded: set[str] = set()
    for line in lines:
        match = _REF.fullmatch(line)
        if match is None:
            raise InvalidParamsError("the bundle has a malformed ref line", _FIX)
        name = match[2].decode()
        if name == "HEAD":
            raise InvalidParamsError("the bundle holds `HEAD`, which names no branch", "name the branch instead")
        # Hosts on case-folding file systems hold one ref for both spellings, so two of them are a repeat.
        if check_ref(name).lower() in folded:
            raise InvalidParamsError(f"the bundle names `{name}` twice", _FIX)
        folded.add(name.lower())
        refs[name] = check_oid(match[1].decode())
    return refs


def _check_pack(pack: memoryview) -> None:
    if len(pack) < _PACK_HEADER_BYTES + _TRAILER_BYTES or bytes(pack[:4]) != b"PACK":
        raise InvalidParamsError("the bundle holds no pack", _FIX)
    version, objects = (int.from_bytes(pack[at : at + 4], "big") for at in (4, 8))
    if version not in _PACK_VERSIONS or objects > MAX_OBJECTS:
        raise InvalidParamsError(f"the pack is of version {version} with {objects} objects, expected version 2", _FIX)
    # SHA-1 is the format's own checksum against damage, not a protection; the pack is bound by its SHA-256 in the plan.
    if hashlib.sha1(pack[:-_TRAILER_BYTES], usedforsecurity=False).digest() != pack[-_TRAILER_BYTES:]:
        raise InvalidParamsError("the pack of the bundle is damaged: its checksum does not fit", "upload it again")
