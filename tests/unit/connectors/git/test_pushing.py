from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from connectors.base import CallResult, JsonObject
from connectors.errors import (
    ConnectorError,
    NotSentError,
    OutcomeUnknownError,
    UploadBrokenError,
    UpstreamRefusedError,
)
from connectors.git.plans import plan_push
from connectors.git.pushing import Push
from connectors.git.workshop import Cleaner
from tests.parts.git_wire import NEW, OLD, PACK, ZERO
from tests.parts.streams import PaperUpload
from tests.unit.connectors.git.paper_remote import PaperRemote, bare_report
from tests.unit.connectors.git.test_plans import FORGE, KINDS, pushed, seen
from vault.errors import VaultUnavailableError

A, B = "refs/heads/a", "refs/heads/b"
OTHER = "c" * 40
STATUS = {"create": "created", "fast-forward": "fast-forwarded", "force": "forced", "delete": "deleted"}


def host(**more: object) -> PaperRemote:
    """A host with the refs that the pushes here begin from."""
    held = {ref: old for ref, old, _ in KINDS.values() if old != ZERO}
    return replace(PaperRemote(held), **more)  # type: ignore[arg-type]


async def push(remote: PaperRemote, *changes: str, upload: PaperUpload | None = None, **params: object) -> CallResult:
    asked = pushed(*changes, **params)
    if "pack" in asked:
        asked["pack"] = {"upload": {"bytes": len(PACK), "sha256": "c" * 64}}
    plan = plan_push(asked, FORGE, seen(*changes))
    stream = upload or (PaperUpload(PACK[:5], PACK[5:]) if plan.upload else None)
    return await Push(replace(plan, stream=stream), remote, Cleaner("Bearer tok-1")).run()


async def refused(remote: PaperRemote, *changes: str, **params: object) -> UpstreamRefusedError:
    before = dict(remote.held)
    with pytest.raises(UpstreamRefusedError) as caught:
        await push(remote, *changes, **params)  # type: ignore[arg-type]
    assert remote.held == before
    return caught.value


def failing(error: Exception | None) -> None:
    if error is not None:
        raise error


def raising(error: Exception) -> Callable[[], None]:
    return partial(failing, error)


@pytest.mark.req("A3")
@pytest.mark.parametrize("change", STATUS)
async def test_each_change_is_made_on_the_condition_of_the_old_id(change: str) -> None:
    remote, (ref, old, new) = host(), KINDS[change]
    result = await push(remote, change)
    there = {"old": None if old == ZERO else old, "new": None if new == ZERO else new}
    assert result.data == {"refs": [{"name": ref, **there, "status": STATUS[change]}], "confirmed": "reported"}
    assert remote.held.get(ref, ZERO) == new
    ((request, pack),) = remote.pushes
    assert [(each.ref, each.old, each.new) for each in request.updates] == [(ref, old, new)]
    assert pack == (b"" if change == "delete" else PACK)
    assert result.usage.request_bytes == len(pack)
    assert result.upstream_request_id == "request-1"


@pytest.mark.req("A3")
async def test_several_refs_move_together_with_the_options_that_were_approved() -> None:
    remote = host()
    result = await push(remote, "create", "force", "delete", options=["ci.skip"])
    ((request, _),) = remote.pushes
    assert (request.atomic, request.options, len(request.updates)) == (True, ("ci.skip",), 3)
    assert [each["status"] for each in result.data["refs"]] == ["created", "forced", "deleted"]


async def test_refs_that_are_where_they_should_be_need_no_push() -> None:
    remote = host(held={"refs/heads/ahead": NEW})
    result = await push(remote, "fast-forward", "delete")
    assert [each["status"] for each in result.data["refs"]] == ["up to date", "up to date"]
    assert (result.data["confirmed"], result.usage.request_bytes, remote.pushes) == ("read", 0, [])


async def test_only_the_refs_that_are_left_are_sent_and_no_pack_for_deletions() -> None:
    remote = host(held={"refs/heads/ahead": NEW, "refs/heads/old": OLD})
    result = await push(remote, "fast-forward", "delete", "none")
    ((request, pack),) = remote.pushes
    assert ([each.ref for each in request.updates], pack) == (["refs/heads/old"], b"")
    assert [each["status"] for each in result.data["refs"]] == ["up to date", "deleted", "up to date"]


@pytest.mark.req("A3")
@pytest.mark.parametrize(
    ("change", "now"),
    [("create", OTHER), ("fast-forward", OTHER), ("fast-forward", ""), ("force", OTHER), ("delete", OTHER)],
)
async def test_a_ref_that_moved_since_it_was_judged_is_stale_and_nothing_is_sent(change: str, now: str) -> None:
    ref = KINDS[change][0]
    remote = host(held={ref: now} if now else {})
    assert (await refused(remote, change)).code == "stale"
    assert remote.asked == ["git-receive-pack"]


async def test_one_stale_ref_holds_back_the_others() -> None:
    remote = host(held={"refs/heads/old": OTHER})
    assert (await refused(remote, "create", "delete")).code == "stale"
    assert remote.pushes == []


@pytest.mark.req("A3")
async def test_a_ref_that_moves_between_the_listing_and_the_push_is_never_overwritten() -> None:
    remote = host()
    remote.on_push = lambda: remote.held.update({"refs/tags/v1": OTHER})
    with pytest.raises(UpstreamRefusedError) as caught:
        await push(remote, "force")
    assert (caught.value.code, remote.held["refs/tags/v1"]) == ("stale", OTHER)


@pytest.mark.parametrize(
    "words", ["incorrect old value provided", "stale info", "fetch first", "reference already exists"]
)
async def test_words_of_hosts_for_a_moved_ref_mean_stale(words: str) -> None:
    assert (await refused(host(refuses={"refs/heads/new": words}), "create")).code == "stale"


async def test_a_hook_that_says_no_is_quoted_without_the_credential() -> None:
    said = {"refs/heads/new": "pre-receive hook declined"}
    remote = host(refuses=said, hook_words=b"branch is protected\nnot with tok-1\x1b[2J\n")
    error = await refused(remote, "create", "delete")
    assert error.code == "rejected"
    assert str(error) == (
        "`refs/heads/new` was refused (pre-receive hook declined): branch is protected; not with [redacted] [2J"
    )


async def test_a_hook_that_only_talks_is_quoted_in_the_result() -> None:
    result = await push(host(hook_words=b"create a pull request:\nhttps://git.test/x\n"), "create")
    assert result.data["words"] == "create a pull request:\nhttps://git.test/x"


async def test_a_host_that_does_not_take_the_pack_moved_nothing() -> None:
    error = await refused(host(unpack="index-pack abnormal exit"), "create")
    assert error.code == "bad-pack"
    assert "index-pack abnormal exit" in str(error)


@pytest.mark.parametrize(
    ("lacks", "changes", "params"),
    [
        ("atomic", ("create", "force"), {}),
        ("delete-refs", ("delete",), {}),
        ("push-options", ("create",), {"options": ["x"]}),
        ("report-status", ("create",), {}),
    ],
)
async def test_a_host_that_lacks_what_the_push_needs_gets_nothing(
    lacks: str, changes: tuple[str, ...], params: JsonObject
) -> None:
    remote = host(capabilities=PaperRemote().capabilities - {lacks})
    assert (await refused(remote, *changes, **params)).code == f"no-{lacks}"
    assert remote.pushes == []


async def test_one_ref_needs_no_atomic_host() -> None:
    assert (await push(host(capabilities=frozenset(("report-status",))), "create")).data["confirmed"] == "reported"


async def test_a_list_of_refs_that_is_cut_means_nothing_was_pushed() -> None:
    with pytest.raises(NotSentError, match="nothing was pushed"):
        await push(host(on_refs=raising(OutcomeUnknownError("cut"))), "create")


@pytest.mark.parametrize("error", [NotSentError("no"), UpstreamRefusedError("no", code="forbidden", status=403)])
async def test_a_host_that_does_not_list_its_refs_for_a_push_gets_none(error: ConnectorError) -> None:
    with pytest.raises(type(error)):
        await push(host(on_refs=raising(error)), "create")


@pytest.mark.parametrize(
    "error",
    [
        NotSentError("gone"),
        UpstreamRefusedError("no", code="unauthorized", status=401),
        UpstreamRefusedError("no", code="forbidden", status=403),
        UploadBrokenError("cut"),
    ],
)
async def test_what_is_definite_at_the_push_is_told_as_it_is(error: ConnectorError) -> None:
    remote = host(on_push=raising(error))
    with pytest.raises(type(error)) as caught:
        await push(remote, "create")
    assert caught.value is error
    assert remote.asked == ["git-receive-pack", "receive-pack"], "there is nothing to be found out"


async def test_a_pack_that_breaks_is_told_as_broken() -> None:
    remote = host()
    with pytest.raises(UploadBrokenError):
        await push(remote, "create", upload=PaperUpload(PACK[:9], broken="cut"))
    assert "refs/heads/new" not in remote.held


CUTS = {
    "a cut": OutcomeUnknownError("the connection broke"),
    "a fault of the host": OutcomeUnknownError("the git host failed at the push (502)"),
    "a fault of the machine": OSError(5, "I/O error"),
    "a deadline": TimeoutError(),
}


@pytest.mark.req("A3")
@pytest.mark.parametrize("error", CUTS.values(), ids=CUTS)
async def test_a_push_without_an_answer_is_proven_by_its_refs(error: Exception) -> None:
    result = await push(host(after_push=raising(error)), "create", "force", "delete")
    assert result.data["confirmed"] == "read-back"
    assert [each["status"] for each in result.data["refs"]] == ["created", "forced", "deleted"]


@pytest.mark.req("A3")
@pytest.mark.parametrize("error", CUTS.values(), ids=CUTS)
async def test_a_push_without_an_answer_and_without_effect_so_far_is_unknown(error: Exception) -> None:
    with pytest.raises(OutcomeUnknownError, match="have not moved so far"):
        await push(host(on_push=raising(error)), "create", "delete")


@pytest.mark.parametrize(
    "again", [NotSentError("gone"), OutcomeUnknownError("cut"), OSError(5, "no"), VaultUnavailableError("gone")]
)
async def test_refs_that_cannot_be_read_again_leave_it_unknown(again: Exception) -> None:
    remote = host(on_push=raising(OutcomeUnknownError("cut")))
    listings = iter((None, again))
    remote.on_refs = lambda: failing(next(listings))
    with pytest.raises(OutcomeUnknownError, match="cannot be read: cut"):
        await push(remote, "create")


REPORTS = {
    "of nothing": b"",
    "that is no report": b"<html>",
    "that is cut": bare_report("unpack ok", "ok refs/heads/new")[:-4],
    "without a ref": bare_report("unpack ok", "ok refs/heads/new"),
    "of another ref": bare_report("unpack ok", "ok refs/heads/new", "ok refs/heads/x"),
    "with two words on a ref": bare_report("unpack ok", "ok refs/heads/new", "ng refs/heads/new no", "ok refs/tags/v1"),
    "of a part": bare_report("unpack ok", "ok refs/heads/new", "ng refs/tags/v1 no"),
}


@pytest.mark.req("A3")
@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
async def test_a_report_that_proves_nothing_is_settled_by_the_refs(report: bytes) -> None:
    remote = host(report=report)
    assert (await push(remote, "create", "force")).data["confirmed"] == "read-back"
    remote = host(report=report, refuses={"refs/tags/v1": "no"})
    with pytest.raises(OutcomeUnknownError):
        await push(remote, "create", "force")


async def test_a_push_whose_pack_is_not_there_is_not_sent() -> None:
    remote, plan = host(), plan_push(pushed("create"), FORGE, seen("create"))
    with pytest.raises(NotSentError, match="pack"):
        await Push(plan, remote, Cleaner("")).run()
    with pytest.raises(NotSentError, match="pack"):
        await Push(replace(plan, stream=PaperUpload(PACK), upload=None), remote, Cleaner("")).run()
    assert remote.pushes == []
