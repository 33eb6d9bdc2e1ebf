"""How git gets to Ostiary, and to nothing else: variables only, no file is touched.

Everything goes by ``GIT_CONFIG_COUNT``, ``GIT_CONFIG_KEY_n`` and ``GIT_CONFIG_VALUE_n`` (git 2.31), after what the
caller has there. Addresses of the hosts behind Ostiary are rewritten to its door. The token stays in
``OSTIARY_TOKEN``: a credential helper prints it to git, for the door's origin only, in place of the helpers of the
person at the machine, who would be given it to keep.

A rewriting of that person which is just as long as ours wins over it, git reads it first. Most of these lead to SSH,
which is shut, so that such a call fails rather than goes out with the person's key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from broker.cli.door_access import DoorAccess, Reached
from broker.cli.output import ExitCode, fail
from broker.cli.shells import Changes

CONNECTOR: Final = "git"
TOKEN: Final = "OSTIARY_TOKEN"  # noqa: S105 - a name of a variable
MARKER: Final = "ostiary.entries"
"""First of our entries; its value is how many there are, so that they are replaced when the command is called again."""

MAX_ENTRIES: Final = 1_000

_COUNT: Final = "GIT_CONFIG_COUNT"
_HELPER: Final = '!f() { if test "$1" = get; then echo username=ostiary; echo "password=$OSTIARY_TOKEN"; fi; }; f'
_PROTOCOLS: Final = ("file", "http", "https")
"""What git may still speak. Not ssh, which would use the person's keys."""

_REMOVED: Final = ("GIT_SSL_NO_VERIFY",)
_WEB_PORTS: Final = frozenset({None, 80, 443})

_Entry = tuple[str, str]

_OLD: Final = "git older than 2.31 overlooks all of this and goes where it always went"
_OWN: Final = (
    "an `insteadOf` or `pushInsteadOf` of your own for the same address wins; where it leads to ssh, git says that the"
    " transport is not allowed"
)


def changes(access: DoorAccess, name: str, environment: Mapping[str, str], *, empty: bool = True) -> Changes:
    """Return the changes that lead git to Ostiary.

    Args:
        access: Of the session.
        name: The one connection to be led to; empty for all of git.
        environment: As it is now; what it configures is kept.
        empty: Whether a variable can be empty where the changes are made; without it the helpers of the person are
            asked as well.
    """
    ours = [entry for entry in _entries(access, access.of(CONNECTOR, name)) if empty or entry[1]]
    kept = _kept(environment)
    entries = [*kept, (MARKER, str(len(ours))), *ours]
    values = {_COUNT: str(len(entries))}
    for number, (key, value) in enumerate(entries):
        values |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    values |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": _protocols(environment), TOKEN: access.token}
    # Set and empty: unset, git would ask by another program.
    values |= {"GIT_ASKPASS": ""} if empty else {}
    return Changes(values, _REMOVED)


def notes(access: DoorAccess, name: str) -> list[str]:
    """Return what somebody should know who is about to use git."""
    led: dict[str, str] = {}
    told = [_OLD, _OWN]
    for each in access.of(CONNECTOR, name):
        first = led.setdefault(each.url, each.name)
        if first != each.name:
            told.append(f"`{each.name}` goes where `{first}` goes, which is taken; name it with `--connection`")
    return told


def addresses(url: str) -> list[str]:
    """Return how the repositories of a host are addressed, each as the beginning that is rewritten.

    Args:
        url: Of the host: ``https://host[:port][/prefix]``.
    """
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path.rstrip("/") + "/"
    shown = f"[{host}]" if ":" in host else host
    web = [url.rstrip("/") + "/", f"{parts.scheme}://git@{parts.netloc}{path}"]
    if parts.port not in _WEB_PORTS or path != "/":
        # What such a host is called over SSH nobody knows.
        return web
    others = [f"http://{shown}/", f"git://{shown}/", f"ssh://git@{shown}/", f"ssh://{shown}/", f"git@{shown}:"]
    return list(dict.fromkeys([*web, *others]))


def _entries(access: DoorAccess, connections: list[Reached]) -> Iterator[_Entry]:
    origin = access.origin
    # An empty value forgets what stood before: helpers and headers of the person.
    yield f"credential.{origin}.helper", ""
    yield f"credential.{origin}.helper", _HELPER
    yield f"http.{origin}/.extraHeader", ""
    yield f"http.{origin}/.followRedirects", "false"
    taken: set[str] = set()
    for each in connections:
        base = f"{access.url}/git/{quote(each.name, safe='')}/"
        for address in addresses(each.url):
            if address not in taken:
                taken.add(address)
                yield f"url.{base}.insteadOf", address
                yield f"url.{base}.pushInsteadOf", address


def _kept(environment: Mapping[str, str]) -> list[_Entry]:
    """Return the caller's own entries, without those of an earlier call."""
    found = list(_given(environment))
    while any(key == MARKER for key, _ in found):
        start = next(number for number, (key, _) in enumerate(found) if key == MARKER)
        size = found[start][1]
        del found[start : start + 1 + (int(size) if size.isascii() and size.isdigit() else 0)]
    return found


def _given(environment: Mapping[str, str]) -> Iterator[_Entry]:
    count = environment.get(_COUNT, "") or "0"
    if not (count.isascii() and count.isdigit()) or int(count) > MAX_ENTRIES:
        fail(f"`{_COUNT}` is no number git could take", ExitCode.USAGE, fix=f"unset {_COUNT}")
    for number in range(int(count)):
        key, value = (environment.get(f"GIT_CONFIG_{part}_{number}") for part in ("KEY", "VALUE"))
        if not key or value is None:
            fail(f"entry {number} of `{_COUNT}` is not set, which git refuses", ExitCode.USAGE, fix=f"unset {_COUNT}")
        yield key, value


def _protocols(environment: Mapping[str, str]) -> str:
    """Return what git may speak: nothing that it might not speak before."""
    given = environment.get("GIT_ALLOW_PROTOCOL")
    allowed = _PROTOCOLS if given is None else [each for each in _PROTOCOLS if each in given.split(":")]
    return ":".join(allowed)
