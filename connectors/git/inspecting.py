"""What a push would do, found out before it is planned: which refs it forces, which files it changes, what it holds.

The mirror is brought up to date by a read of its own (`what: mirror`), which is an intent of the same session. What
follows uses no credential: the pack goes into a quarantine beside the mirror and is judged there. A bundle becomes the
same thing as the push of a git client: updates and a pack.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from connectors.base import Connection, JsonObject
from connectors.errors import InvalidParamsError, UploadBrokenError, UpstreamRefusedError
from connectors.git.bundle import parse_bundle
from connectors.git.connection import options_of
from connectors.git.names import check_repo, is_branch
from connectors.git.operations import READ, PushParams, What, push_params
from connectors.git.plans import Change, expected_of, plan_push_unseen
from connectors.git.process import CHUNK_BYTES
from connectors.git.quarantine.held import Held
from connectors.git.quarantine.yard import Yard
from connectors.git.wire.push_request import NULL_OID, RefUpdate, checked_updates
from connectors.inspection import Ask, Evidence, Inquiry

_SHOWN_CHARS: Final = 120
_MAX_NOTES: Final = 20
_SHORT_OID: Final = 12
_WORKFLOWS: Final = ".github/workflows/"
_HEADS: Final = "refs/heads/"


def asks_of(params: JsonObject, connection: Connection) -> tuple[Ask, ...]:
    """Return the read a push rests on: the mirror, and where its refs are now.

    Raises:
        InvalidParamsError: the params do not fit.
    """
    # Nothing upstream hears of a push whose params are not right to the last.
    plan = plan_push_unseen(params, connection)
    asked = push_params(params)
    refs = list(parse_bundle(asked.bundle_bytes()).refs) if asked.bundle else [each.ref for each in asked.ref_updates()]
    return (Ask(READ, {"repo": plan.call["repo"], "what": What.MIRROR.value, "refs": refs}),)


@asynccontextmanager
async def inspected(
    yard: Yard, params: JsonObject, connection: Connection, inquiry: Inquiry
) -> AsyncGenerator[Evidence, None]:
    """Look into a push; see `connectors.inspection.Inspector.inspect`.

    Args:
        yard: Where mirrors and quarantines are.
        params: As sent.
        connection: Where to.
        inquiry: With the answer to `asks_of`, and the pack of a push that is no bundle.
    """
    asked = push_params(params)
    repo = check_repo(asked.repo, case_sensitive=options_of(connection).case_sensitive)
    answer = inquiry.answers[0] or {}
    now = {each["name"]: each["oid"] for each in answer.get("refs", ())}
    if asked.bundle:
        data = asked.bundle_bytes()
        bundle = parse_bundle(data)
        updates = _bundle_updates(bundle.refs, expected_of(asked, bundle.refs), now)
        settled = tuple(ref for ref, oid in bundle.refs.items() if now.get(ref) == oid)
        pack: AsyncIterator[bytes] | None = _pieces(memoryview(data)[bundle.pack_offset :])
    else:
        updates, settled = asked.ref_updates(), ()
        pack = aiter(inquiry.upload) if inquiry.upload is not None and asked.pack else None
    _check(asked, updates, answer)
    if not updates:
        found = [{"ref": ref, "old": now[ref], "new": now[ref], "change": Change.NONE.value} for ref in settled]
        yield Evidence(found={"updates": found}, preview={"head": answer.get("head")})
        return
    options, masker = tuple(asked.options), inquiry.masker
    async with yard.quarantine(connection.name, repo, updates, pack, masker=masker, options=options) as held:
        protected = _protected(updates, options_of(connection).protected_branches)
        seen = {"head": answer.get("head"), "protected": protected}
        yield _evidence(asked, held, [(ref, now[ref]) for ref in settled], seen)


def _bundle_updates(
    refs: Mapping[str, str], expected: Mapping[str, str], now: Mapping[str, str]
) -> tuple[RefUpdate, ...]:
    for ref, oid in expected.items():
        if now.get(ref, NULL_OID) not in (oid, refs[ref]):
            raise UpstreamRefusedError(f"`{ref}` is not at the commit it was expected at", code="stale")
    moved = (RefUpdate(ref, now.get(ref, NULL_OID), oid) for ref, oid in refs.items() if now.get(ref) != oid)
    return checked_updates(moved)


def _check(asked: PushParams, updates: tuple[RefUpdate, ...], answer: JsonObject) -> None:
    """Refuse what the host could take for another ref; the quarantine refuses what begins elsewhere than its refs."""
    for ref, target in answer.get("symbolic", {}).items():
        shown = ascii(target[:_SHOWN_CHARS])[1:-1]
        raise UpstreamRefusedError(f"`{ref}` is another name for `{shown}`; push to that one", code="symbolic-ref")
    alike = {each.lower() for each in answer.get("alike", ())}
    for each in updates:
        if each.old == NULL_OID and each.ref.lower() in alike:
            raise UpstreamRefusedError(
                f"the repository has a ref that differs from `{each.ref}` in case only", code="look-alike"
            )
    if not asked.bundle and (asked.pack is None) != all(each.deletes for each in updates):
        raise InvalidParamsError("a push has a pack, unless all it does is to delete", "send `pack` as an upload")


def _protected(updates: tuple[RefUpdate, ...], patterns: list[str]) -> list[str]:
    """Return the branches that the operator calls protected."""
    branches = [each.ref for each in updates if is_branch(each.ref)]
    return [ref for ref in branches if any(fnmatchcase(ref.removeprefix(_HEADS), pattern) for pattern in patterns)]


def _evidence(asked: PushParams, held: Held, settled: list[tuple[str, str]], seen: JsonObject) -> Evidence:
    updates = [
        {"ref": each.ref, "old": each.old, "new": each.new, "change": each.change.value} for each in held.updates
    ]
    idle = [{"ref": ref, "old": oid, "new": oid, "change": Change.NONE.value} for ref, oid in settled]
    pack = {"upload": {"bytes": held.pack_bytes, "sha256": held.sha256}} if held.pack_path else None
    paths = held.facts.get("paths_folded", ())
    # Too many paths to be listed count as if a workflow were among them: the token may then do a little more.
    workflows = any(str(path).startswith(_WORKFLOWS) for path in paths) or bool(held.facts.get("too_many_paths"))
    return Evidence(
        params={
            "repo": asked.repo,
            "updates": [{name: each[name] for name in ("ref", "old", "new")} for each in updates],
            "options": asked.options,
            **({"pack": pack} if pack else {}),
        },
        found={"updates": updates + idle, "workflows": workflows},
        facts=held.facts,
        preview={**held.preview, **seen},
        notes=tuple(map(_note, held.preview.get("leaks", ())[:_MAX_NOTES])),
        upload=PackFile(held.pack_path) if held.pack_path else None,
    )


def _note(leak: JsonObject) -> str:
    """Return where a finding is; what was found is never repeated."""
    return f"`{leak['rule']}` in {leak['path']}:{leak['line']}, commit {str(leak['commit'])[:_SHORT_OID]}"


async def _pieces(data: memoryview) -> AsyncIterator[bytes]:
    for at in range(0, len(data), CHUNK_BYTES):
        yield bytes(data[at : at + CHUNK_BYTES])


class PackFile:
    """The pack in quarantine, on its way out; implements `connectors.base.UploadStream`.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            with await asyncio.to_thread(self._path.open, "rb") as file:
                while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
                    yield piece
        except OSError as error:
            raise UploadBrokenError("the pack cannot be read from the broker's disk") from error

    @property
    def trailers(self) -> Mapping[str, str]:
        """None."""
        return {}
