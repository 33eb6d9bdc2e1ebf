"""The whole configuration git runs with, credential included, in memory that no argument and no environment shows.

git reads it as its global configuration; the system's and the user's are switched off, the repository's own is made by
us. It lives in a sealed memory file handed down by descriptor, so that ``git`` and its helper ``git-remote-https`` can
read it and a listing of processes cannot. Where the kernel has no memory files, it is a 0600 file in the working area.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_F_ADD_SEALS: Final = 1033
_SEALS: Final = 0x1 | 0x2 | 0x4 | 0x8
"""No new seals, no shrinking, growing or writing; the numbers of Linux's fcntl.h, which Python knows on Linux only."""

# Why each is here:
# protocol    only the one the URL of the connection has; no ext::, file, ssh, git
# http        no redirect carries the credential on, no proxy sees it; lowSpeed ends a transfer that stands still
# credential  an empty helper clears the list; nobody is asked
# core        no hooks, no file watcher, no editor; objects over 32 MiB are streamed, so memory stays bounded
# fsck        all that comes in is checked; the four faults named are harmless and stand in old public histories
# rest        nothing in the background, nothing signed, no submodules, no threads that multiply the memory
_FIXED: Final = """\
[protocol]
	allow = never
[http]
	followRedirects = false
	proxy =
	sslVerify = true
	lowSpeedLimit = 1
	lowSpeedTime = {stall_seconds}
[credential]
	helper =
[core]
	hooksPath = /dev/null
	fsmonitor = false
	editor = false
	pager = cat
	bigFileThreshold = 32m
	packedGitWindowSize = 32m
	packedGitLimit = 256m
	deltaBaseCacheLimit = 64m
	fsync = none
[transfer]
	fsckObjects = true
[fetch "fsck"]
	zeroPaddedFilemode = ignore
	badTimezone = ignore
	missingSpaceBeforeDate = ignore
	missingEmail = ignore
[fetch]
	recurseSubmodules = false
[submodule]
	recurse = false
[push]
	followTags = false
	gpgSign = false
	recurseSubmodules = no
[gc]
	auto = 0
[maintenance]
	auto = false
[pack]
	threads = 1
	windowMemory = 64m
	deltaCacheSize = 64m
[index]
	threads = 1
"""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where git may go and how it gets in.

    Args:
        url: URL of the repository; the credential is sent to it and nowhere else.
        resolve: ``host:port:address`` the name is pinned to, empty for a numeric host.
        ca_file: File with the certificates to trust, None for the system's.
        stall_seconds: A transfer slower than a byte a second for this long is given up.
    """

    url: str
    resolve: str
    ca_file: Path | None = None
    stall_seconds: int = 60


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """Where the configuration can be read by a child that is given ``descriptors``.

    Args:
        path: As the child sees it.
        descriptors: To be handed down.
        protocol: The one protocol it allows, ``https`` or ``http``; empty for none.
        environment: More variables for git, which every user of the machine can see.
    """

    path: str
    descriptors: tuple[int, ...]
    protocol: str
    environment: Mapping[str, str] = field(default_factory=dict)


def config_text(upstream: Upstream, authorization: str) -> bytes:
    """Return the configuration for one upstream; it holds the credential.

    Args:
        upstream: Where to.
        authorization: Value of the ``Authorization`` header.

    Raises:
        ValueError: a value holds a control character; the message does not hold it.
    """
    scheme = upstream.url.partition(":")[0]
    lines = [
        _FIXED.format(stall_seconds=upstream.stall_seconds),
        f'[protocol "{scheme}"]\n\tallow = always\n',
        f"[http {_quoted(upstream.url)}]\n\textraHeader = {_quoted('Authorization: ' + authorization)}\n",
    ]
    if upstream.resolve:
        lines.append(f"[http]\n\tcurloptResolve = {_quoted(upstream.resolve)}\n")
    if upstream.ca_file is not None:
        lines.append(f"[http]\n\tsslCAInfo = {_quoted(str(upstream.ca_file))}\n")
    return "".join(lines).encode()


@contextlib.contextmanager
def config_file(
    upstream: Upstream, authorization: str, fallback: Path, *, in_memory: bool = True
) -> Iterator[ConfigFile]:
    """Keep a configuration readable for children while the block runs.

    Args:
        upstream: Where to.
        authorization: Value of the ``Authorization`` header.
        fallback: Where a file of mode 0600 is made when there are no memory files; removed at the end.
        in_memory: False to use the file in any case.

    Raises:
        ValueError: a value holds a control character; the message does not hold it.
        OSError: neither can be made.
    """
    text = config_text(upstream, authorization)
    protocol = upstream.url.partition(":")[0]
    descriptor = _memory_file() if in_memory else None
    if descriptor is None:
        handle = os.open(fallback, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(text)
            yield ConfigFile(str(fallback), (), protocol)
        finally:
            fallback.unlink(missing_ok=True)
        return
    try:
        os.write(descriptor, text)
        fcntl.fcntl(descriptor, _F_ADD_SEALS, _SEALS)
        yield ConfigFile(f"/proc/self/fd/{descriptor}", (descriptor,), protocol)
    finally:
        os.close(descriptor)


def local_config(path: Path) -> ConfigFile:
    """Write the configuration for work that reaches no host and needs no credential, into a file of mode 0600.

    Args:
        path: The file; it must not exist.

    Raises:
        OSError: it cannot be written.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(_FIXED.format(stall_seconds=0))
    return ConfigFile(str(path), (), "")


def _memory_file() -> int | None:
    """An empty memory file, closed on exec unless handed down on purpose; None where there is no such thing."""
    if not hasattr(os, "memfd_create") or not Path("/proc/self/fd").exists():
        return None
    try:
        return os.memfd_create("ostiary-git", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        return None


def _quoted(value: str) -> str:
    """A value in the quotes of git's configuration syntax."""
    if not value.isprintable():
        raise ValueError("a configuration value holds a control character")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
