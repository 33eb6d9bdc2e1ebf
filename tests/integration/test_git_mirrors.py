"""Mirrors of repositories: fetched when there is something new, shared by processes, never trusted once damaged."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.errors import NotSentError, UpstreamRefusedError
from connectors.git.advertisement import Advertisement, Service
from connectors.git.process import GitPrograms
from connectors.git.quarantine.limits import YardLimits
from connectors.git.quarantine.locks import locked
from connectors.git.quarantine.mirror import Mirror
from connectors.git.quarantine.yard import Yard
from tests.parts.git_yard import ABSENT, CONNECTION, REPO, Field, LocalRemote, Repository, packed, started

MAIN = "refs/heads/main"
WORK = "refs/heads/work"

pytestmark = pytest.mark.req("A3")


@pytest.fixture
async def field(tmp_path: Path) -> AsyncIterator[Field]:
    made = await started(tmp_path)
    yield made
    assert made.left_behind() == [], "something was left behind"


async def test_a_mirror_is_fetched_only_when_there_is_something_new(field: Field) -> None:
    assert field.remote.fetches == 1
    await field.refresh()
    assert field.remote.fetches == 1
    tip = field.agent.commit("second", a="1\n")
    field.publish("main", f"main:{WORK}")
    await asyncio.gather(*(field.refresh() for _ in range(3)))
    assert field.remote.fetches == 2
    assert (await field.held({WORK: (tip, ABSENT)}, None)).pack_path is None
    field.publish(f":{WORK}")
    await field.refresh()
    assert await field.refusal({WORK: (tip, ABSENT)}, None) == "stale"


async def test_refs_of_hosts_cannot_name_files(field: Field) -> None:
    seen = await field.remote.refs(Service.FETCH)
    odd = {"refs/heads/../../../etc": field.main(), "refs/heads/A": field.main(), "refs/heads/a": field.main()}
    await field.yard.refresh(
        CONNECTION, REPO, field.remote, replace(seen, refs={**seen.refs, **odd, "refs/pull/1": "x"})
    )
    tip = field.agent.commit("second", a="1\n")
    assert (await field.held({WORK: (ABSENT, tip)}, field.agent.pack(tip, "^main~1"))).facts["paths"] == ["a"]


async def test_what_was_not_read_before_cannot_be_pushed_to(field: Field) -> None:
    with pytest.raises(NotSentError):
        async with field.yard.quarantine(CONNECTION, "acme/other", (), None, masker=field.masker):
            pass


async def test_a_mirror_whose_fetch_was_cut_is_made_anew(field: Field) -> None:
    (mirror,) = field.mirrors()
    (mirror / "fetching").touch()
    (mirror / "trace").touch()
    with pytest.raises(NotSentError):
        await field.held({MAIN: (field.main(), ABSENT)}, None)
    await field.refresh()
    assert not (mirror / "trace").exists()
    assert (await field.held({MAIN: (field.main(), ABSENT)}, None)).facts["changes"] == ["delete"]


async def test_a_state_that_cannot_be_read_or_is_of_another_is_not_trusted(field: Field) -> None:
    (mirror,) = field.mirrors()
    state = json.loads((mirror / "state.json").read_text())
    for text in ("{", "[]", json.dumps({**state, "repo": "acme/other"})):
        (mirror / "state.json").write_text(text)
        with pytest.raises(NotSentError):
            await field.held({MAIN: (field.main(), ABSENT)}, None)
        await field.refresh()
        assert (await field.held({MAIN: (field.main(), ABSENT)}, None)).facts["changes"] == ["delete"]


async def test_a_damaged_mirror_is_noticed_and_mended(field: Field) -> None:
    (mirror,) = field.mirrors()
    first = field.main()
    tip = field.agent.commit("second", a="1\n")
    pack = field.agent.pack(tip, f"^{first}")
    for file in mirror.glob("objects/pack/*"):
        file.unlink()
    with pytest.raises((NotSentError, UpstreamRefusedError)):
        await field.held({MAIN: (first, tip)}, pack)
    with pytest.raises(NotSentError):
        await field.held({WORK: (ABSENT, first)}, packed())
    await field.refresh()
    assert (await field.held({MAIN: (first, tip)}, pack)).facts["paths"] == ["a"]
    # A second check so soon after the first is not made, however many bad packs come.
    assert await field.refusal({WORK: (ABSENT, "1" * 40)}, packed()) == "missing-objects"
    fetches = field.remote.fetches
    await field.refresh()
    assert field.remote.fetches <= fetches + 1


async def test_a_fetch_that_fails_on_a_damaged_mirror_is_tried_on_a_new_one(field: Field) -> None:
    (mirror,) = field.mirrors()
    (mirror / "packed-refs").write_text("damaged\n")
    (mirror / "trace").touch()
    tip = field.agent.commit("second", README="hello\nyou\n")
    field.publish("main")
    await field.refresh()
    assert not (mirror / "trace").exists()
    assert (await field.held({WORK: (ABSENT, tip)}, packed())).facts["paths"] == []
    assert (await field.held({MAIN: (field.main(), ABSENT)}, None)).facts["changes"] == ["delete"]


async def test_a_host_that_does_not_give_what_it_shows_is_told_and_changes_nothing(field: Field) -> None:
    seen = await field.remote.refs(Service.FETCH)
    with pytest.raises(UpstreamRefusedError) as caught:
        await field.yard.refresh(
            CONNECTION, REPO, field.remote, replace(seen, refs={**seen.refs, "refs/heads/ghost": "1" * 40})
        )
    assert caught.value.code == "fetch-failed"
    assert (await field.held({MAIN: (field.main(), ABSENT)}, None)).facts["changes"] == ["delete"]


async def test_a_mirror_of_another_host_is_not_used(field: Field, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other.git", bare=True)
    field.agent.git("push", "--quiet", str(other.path), "main")
    (mirror,) = field.mirrors()
    (mirror / "trace").touch()
    remote = LocalRemote(other)
    field.agent.commit("second", a="1\n")
    field.agent.git("push", "--quiet", str(other.path), "main")
    await field.yard.refresh(CONNECTION, REPO, remote, await remote.refs(Service.FETCH))
    assert not (mirror / "trace").exists()


async def test_mirrors_nobody_used_for_longest_are_dropped_and_those_in_use_are_not(tmp_path: Path) -> None:
    field = Field(tmp_path, YardLimits(mirrors_bytes=1))
    first = field.agent.commit("first", a="1\n")
    field.publish("main")
    seen = await field.remote.refs(Service.FETCH)
    await field.yard.refresh("one", REPO, field.remote, seen)
    for lock in field.root.glob("mirrors/one/*/*.use"):
        lock.unlink()
    await field.yard.refresh("two", REPO, field.remote, seen)
    assert [path.parent.parent.name for path in field.mirrors()] == ["two"]
    async with field.yard.quarantine("two", REPO, (), None, masker=field.masker):
        await field.yard.refresh("three", REPO, field.remote, seen)
        assert [path.parent.parent.name for path in field.mirrors()] == ["three", "two"]
    assert first


async def test_many_fetches_do_not_make_many_packs(tmp_path: Path) -> None:
    field = Field(tmp_path, YardLimits(mirror_packs=2))
    for number in range(4):
        field.agent.commit(f"{number}", a=f"{number}\n")
        field.publish("main")
        await field.refresh()
    (mirror,) = field.mirrors()
    assert len(list(mirror.glob("objects/pack/*.pack"))) <= 2


async def test_another_process_that_fetches_is_waited_for_and_not_for_ever(field: Field) -> None:
    (path,) = field.mirrors()
    mirror = Mirror(field.root / "mirrors", CONNECTION, REPO)
    assert mirror.path == path
    impatient = Yard(field.root, GitPrograms(), YardLimits(lock_seconds=0.0))
    field.agent.commit("second", a="1\n")
    field.publish("main")
    seen = await field.remote.refs(Service.FETCH)
    async with locked(mirror.fetching, exclusive=True, seconds=1.0):
        with pytest.raises(NotSentError):
            await impatient.refresh(CONNECTION, REPO, field.remote, seen)
        patient = asyncio.create_task(field.yard.refresh(CONNECTION, REPO, field.remote, seen))
        assert not (await asyncio.wait({patient}, timeout=0.05))[0]
    await patient


async def test_a_machine_without_git_or_with_a_broken_one_is_told(field: Field, tmp_path: Path) -> None:
    tip = field.agent.commit("second", a="1\n")
    first = field.main()
    pack = field.agent.pack(tip, f"^{first}")
    missing = Yard(field.root, GitPrograms(str(tmp_path / "nothing")))
    script = tmp_path / "git"
    git = shutil.which("git")
    script.write_text(f'#!/bin/sh\ncase "$*" in *"$(cat $0.fails)"*) cat $0.says; exit 128;; esac\nexec {git} "$@"\n')
    script.chmod(0o700)
    fails = tmp_path / "git.fails"
    sick = Yard(field.root, GitPrograms(str(script), field.processes))
    moves = {MAIN: (first, tip)}
    field.yard = missing
    with pytest.raises(NotSentError):
        await field.held(moves, pack)
    field.yard = sick
    old = field.agent.raw("cat-file", "blob", f"{first}:README")
    again = packed(("blob", old))
    known = {WORK: (ABSENT, first)}
    for words in ("", "broken\n"):
        (tmp_path / "git.says").write_text(words)
        for command in (" log ", " cat-file ", " diff-tree "):
            fails.write_text(command)
            with pytest.raises(NotSentError):
                await field.held(moves, pack)
        fails.write_text(" cat-file ")
        with pytest.raises(NotSentError):
            await field.held(known, again)
    fails.write_text(" merge-base ")
    with pytest.raises(NotSentError):
        await field.held({MAIN: (first, field.orphan())}, field.agent.pack("other"))
    fails.write_text(" fetch ")
    with pytest.raises(UpstreamRefusedError):
        await sick.refresh("new", REPO, field.remote, await field.remote.refs(Service.FETCH))
    with pytest.raises(NotSentError):
        await missing.refresh("new", REPO, field.remote, Advertisement({MAIN: first}, MAIN, frozenset(), ""))
