"""How params become plans: pure, and the same for what a git client sends and what an intent says.

A push has two plans. By its params alone it would create or fast-forward every ref: that answers "what would it need",
and it is never executed. After its objects were looked at, each ref needs what really happens to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.base import Connection, JsonObject, Plan, Upload
from connectors.errors import InvalidParamsError
from connectors.git.bundle import parse_bundle
from connectors.git.connection import GitConnection, options_of
from connectors.git.minting import mint_for
from connectors.git.names import check_oid, check_ref, check_repo, ref_resource, repo_resource
from connectors.git.operations import (
    DELETE_REF,
    FORCE_PUSH,
    OPERATIONS,
    PUSH,
    READ,
    SPOKEN,
    PushParams,
    UploadParams,
    What,
    push_params,
    read_params,
)
from connectors.git.wire.push_request import NULL_OID, RefUpdate
from connectors.usage import Estimate
from policies.model import Requirement

_NAMED_REFS: Final = 5
"""How many refs the one line of a summary names; the resources name them all."""

_READS: Final = {
    What.REFS: "list the refs of",
    What.BUNDLE: "read the history of",
    What.MIRROR: "look up",
    What.PUSH_REFS: "list the refs, to push to, of",
    What.ADVERTISEMENT: "list the refs of",
    What.FETCH: "fetch from",
}


class Change(StrEnum):
    """What a push does to a ref."""

    NONE = "none"
    CREATE = "create"
    FAST_FORWARD = "fast-forward"
    FORCE = "force"
    DELETE = "delete"


FETCH_SECONDS: Final = 1_800
"""How long git may take to bring all of a repository here, before the head of an answer."""
_FETCHES: Final = frozenset({What.MIRROR, What.BUNDLE})

_ACTIONS: Final = {Change.FORCE: FORCE_PUSH, Change.DELETE: DELETE_REF}
_VERBS: Final = {
    Change.NONE: "leave as it is",
    Change.CREATE: "create",
    Change.FAST_FORWARD: "push to",
    Change.FORCE: "force-push to",
    Change.DELETE: "delete",
}


def plan_read(params: JsonObject, connection: Connection) -> Plan:
    """Return the plan of ``git:read``.

    Raises:
        InvalidParamsError: the params do not fit.
    """
    asked, options = read_params(params), options_of(connection)
    repo = check_repo(asked.repo, case_sensitive=options.case_sensitive)
    refs = list(dict.fromkeys(check_ref(ref) for ref in asked.refs))
    asked.request_bytes()
    call = {"url": options.repository_url(repo), "repo": repo, "what": asked.what.value, "refs": refs}
    if asked.what in SPOKEN:
        call |= {"protocol": asked.protocol, "request": asked.request}
    plan = _planned(
        READ,
        connection,
        call=call,
        requirements=(Requirement(READ, repo_resource(repo)),),
        summary=f"{_READS[asked.what]} {repo}" + (f": {named(refs)}" if refs else ""),
    )
    return replace(plan, patience_seconds=FETCH_SECONDS) if asked.what in _FETCHES else plan


def plan_push_unseen(params: JsonObject, connection: Connection) -> Plan:
    """Return what a push would be if every ref were created or fast-forwarded; it is never executed.

    Raises:
        InvalidParamsError: the params do not fit.
    """
    asked, options = push_params(params), options_of(connection)
    repo = check_repo(asked.repo, case_sensitive=options.case_sensitive)
    wanted = _wanted(asked)
    changes = {ref: Change.DELETE if new == NULL_OID else Change.FAST_FORWARD for ref, new in wanted.items()}
    return _planned(
        PUSH,
        connection,
        call={"url": options.repository_url(repo), "repo": repo, "params": params_of(asked)},
        requirements=_requirements(repo, changes),
        summary=_summary(repo, changes),
    )


def plan_push(params: JsonObject, connection: Connection, found: JsonObject) -> Plan:
    """Return the plan of a push whose objects were looked at.

    Args:
        params: Its updates and its pack, bound by size and digest.
        connection: Where to.
        found: ``updates``: for each ref ``ref``, ``old``, ``new`` and ``change``; ``workflows``: whether files are
            changed that GitHub guards by a permission of their own.

    Raises:
        InvalidParamsError: the params do not fit, or are not those that were looked at.
    """
    asked, options = push_params(params), options_of(connection)
    repo = check_repo(asked.repo, case_sensitive=options.case_sensitive)
    seen = _seen(found)
    # A bundle keeps its form only when the host has all of it already.
    said = () if asked.bundle else asked.ref_updates()
    if {each for each, change in seen.values() if change is not Change.NONE} != set(said):
        raise _another_push()
    changes = {ref: change for ref, (_, change) in seen.items()}
    pack = asked.pack.upload if asked.pack else None
    if (pack is None) != all(each.deletes for each in said):
        raise InvalidParamsError("a push needs a pack, unless all it does is to delete", "send it again")
    plan = _planned(
        PUSH,
        connection,
        call={
            "url": options.repository_url(repo),
            "repo": repo,
            "params": params_of(asked),
            "changes": {ref: change.value for ref, change in changes.items()},
        },
        requirements=_requirements(repo, changes),
        summary=_summary(repo, changes),
    )
    return replace(
        plan,
        upload=_bound(pack) if pack else None,
        estimate=Estimate(request_bytes=pack.bytes if pack else 0),
        mint=mint_for(options, repo, pushes=True, workflows=bool(found.get("workflows"))),
        trace={"repo": repo, "refs": {ref: {"old": each.old, "new": each.new} for ref, (each, _) in seen.items()}},
    )


def _seen(found: JsonObject) -> dict[str, tuple[RefUpdate, Change]]:
    """Return the evidence by ref; it was scanned and may have been stored since it was made, so it is read anew."""
    try:
        rows = [
            (RefUpdate(check_ref(each["ref"]), each["old"], each["new"]), Change(each["change"]))
            for each in found["updates"]
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _another_push() from None
    seen = {update.ref: (update, change) for update, change in rows}
    if not rows or len(seen) != len(rows) or not all(_is_possible(update, change) for update, change in rows):
        raise _another_push()
    return seen


def _is_possible(update: RefUpdate, change: Change) -> bool:
    """Tell whether the ids allow a change; only history tells a fast-forward from a change by force."""
    if update.old == update.new:
        return change is Change.NONE
    if update.deletes:
        return change is Change.DELETE
    if update.old == NULL_OID:
        return change is Change.CREATE
    return change in {Change.FAST_FORWARD, Change.FORCE}


def _another_push() -> InvalidParamsError:
    return InvalidParamsError("the push is not the one that was looked at", "send it again")


def _bound(pack: UploadParams) -> Upload:
    """Return the pack as it was looked at: its size and its digest are known since."""
    if pack.bytes < 0 or not pack.sha256:
        raise _another_push()
    return Upload(pack.bytes, sha256=pack.sha256)


def params_of(asked: PushParams) -> JsonObject:
    """Return params in their canonical form; the pack is left out by whoever asks whether two pushes are the same."""
    params: dict[str, Any] = asked.model_dump(mode="json", exclude={"repo", "bundle"})
    return params


def named(refs: list[str]) -> str:
    """Return the first few refs in a line for people."""
    more = len(refs) - _NAMED_REFS
    return ", ".join(refs[:_NAMED_REFS]) + (f" and {more} more" if more > 0 else "")


def expected_of(asked: PushParams, refs: Mapping[str, str]) -> dict[str, str]:
    """Return what a bundle's sender believes its refs to be now.

    Raises:
        InvalidParamsError: it names a ref that is not in the bundle, or no object id.
    """
    for ref, oid in asked.expected.items():
        if ref not in refs:
            raise InvalidParamsError("`expected` names a ref that is not in the bundle", "name refs of the bundle only")
        if oid != NULL_OID:
            check_oid(oid)
    return dict(asked.expected)


def updates_of(plan: Plan) -> tuple[RefUpdate, ...]:
    """Return the updates of a planned push."""
    return tuple(RefUpdate(each["ref"], each["old"], each["new"]) for each in plan.call["params"]["updates"])


def _wanted(asked: PushParams) -> dict[str, str]:
    if not asked.bundle:
        return {each.ref: each.new for each in asked.ref_updates()}
    refs = parse_bundle(asked.bundle_bytes()).refs
    expected_of(asked, refs)
    return refs


def _requirements(repo: str, changes: Mapping[str, Change]) -> tuple[Requirement, ...]:
    return tuple(Requirement(_ACTIONS.get(change, PUSH), ref_resource(repo, ref)) for ref, change in changes.items())


def _summary(repo: str, changes: Mapping[str, Change]) -> str:
    """Return the line people approve, the gravest change first."""
    by_verb = {
        change: [ref for ref, each in changes.items() if each is change]
        for change in (Change.DELETE, Change.FORCE, Change.FAST_FORWARD, Change.CREATE, Change.NONE)
    }
    said = [f"{_VERBS[change]} {named(refs)}" for change, refs in by_verb.items() if refs]
    return f"{'; '.join(said)} of {repo}"


def _planned(
    action: str,
    connection: Connection,
    *,
    call: JsonObject,
    requirements: tuple[Requirement, ...],
    summary: str,
) -> Plan:
    operation, options = OPERATIONS[action], options_of(connection)
    return Plan(
        connector="git",
        action=action,
        connection=connection.name,
        credential=connection.credential,
        call=call,
        requirements=requirements,
        access=operation.access,
        idempotent=operation.idempotent,
        summary=summary,
        host=host_of(options),
        mint=mint_for(options, call["repo"], pushes=action == PUSH, workflows=False),
        fresh=("pack",),
    )


def host_of(options: GitConnection) -> str:
    """Return the ``host`` or ``host:port`` that a credential must be bound to."""
    parts = urlsplit(options.url)
    return parts.netloc.rpartition("@")[2]
