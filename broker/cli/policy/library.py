"""``ostiary policy library`` and ``add``: the policies that ship, to look at and to take over."""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Final

import typer

from broker.cli.context import settings_from
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail, say

_SUFFIX: Final = ".yaml"
_TESTS: Final = "_test.yaml"


def library(
    name: Annotated[str, typer.Argument(help="Print this one, as in `guardrails/production-deploys`.")] = "",
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """List the policies that ship, or print one."""
    found = _shipped()
    if name:
        sys.stdout.write(_one(found, name).read_text("utf-8"))
        return
    rows = [{"name": each, "about": _about(place.read_text("utf-8"))} for each, place in sorted(found.items())]
    emit(rows, output, columns=["name", "about"])


def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="As listed by `ostiary policy library`.")],
) -> None:
    """Copy a policy that ships, and its tests, into the configuration folder; a file that is there is never touched."""
    place = _one(_shipped(), name)
    folder = settings_from(ctx).config_dir / "policies"
    tests = name + _TESTS
    for file, source in ((name + _SUFFIX, place), (tests, _folder().joinpath(tests))):
        target = folder / file
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(target, flags, 0o600), "wb") as stream:
                stream.write(source.read_bytes())
        except FileExistsError:
            fail(f"`{target}` is there already", ExitCode.FAILED, fix="compare it with `ostiary policy library NAME`")
        say(f"written: {target}")
    if "/" not in name:
        say(f"declare the agent `{name}` with its project under `agents:` in `ostiary.yaml`, then `ostiary check`")


def _folder() -> Traversable:
    return files("policies").joinpath("library")


def _shipped() -> dict[str, Traversable]:
    folder = _folder()
    places = {"": folder, "guardrails/": folder.joinpath("guardrails")}
    return {
        prefix + each.name.removesuffix(_SUFFIX): each
        for prefix, place in places.items()
        for each in place.iterdir()
        if each.name.endswith(_SUFFIX) and not each.name.endswith(_TESTS)
    }


def _one(found: dict[str, Traversable], name: str) -> Traversable:
    from policies.errors import did_you_mean, quote

    if name not in found:
        fail(f"no policy of the library is called {quote(name)}", ExitCode.USAGE, fix=did_you_mean(name, found))
    return found[name]


def _about(text: str) -> str:
    first = text.partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
