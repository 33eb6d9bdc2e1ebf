"""Finds out what a push in quarantine does.

1  everything is there       what the new tips reach is in the pack or upstream, and nothing else is in the pack
2  its history is read       commits, files, added lines: one git for each range, beside 1, as both only read
3  tips and sizes            branches are commits, tags are commits or tags of one; no file is too large
4  each update is named      create, fast-forward, force, delete; that it begins at upstream's value is known
5  secrets are looked for    by their form and by the vault's values; a file too large for that is a finding
6  facts and preview         for conditions and for people
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.errors import NotSentError
from connectors.git.names import is_branch
from connectors.git.plans import Change
from connectors.git.quarantine.case import Case
from connectors.git.quarantine.connected import check_connected
from connectors.git.quarantine.contents import Contents, measure, read_binaries
from connectors.git.quarantine.facts import content_facts, ref_facts, unread_facts
from connectors.git.quarantine.graph import builds_on
from connectors.git.quarantine.held import Held, JudgedUpdate
from connectors.git.quarantine.history import History
from connectors.git.quarantine.local import both, broken
from connectors.git.quarantine.pack import TakenPack
from connectors.git.quarantine.preview import Previewer
from connectors.git.quarantine.ranges import count_commits, read_ranges
from connectors.git.quarantine.scan import TOO_LARGE, Finding, Scanner
from connectors.git.wire.push_request import NULL_OID, RefUpdate

_NO_FORCE: Final = (0, 1)
"""Exit statuses of ``git merge-base --is-ancestor`` that say yes and no."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges one push.

    Args:
        case: The push.
        scanner: Finds secrets.
        options: Push options.
    """

    case: Case
    scanner: Scanner
    options: tuple[str, ...]

    async def judge(self, updates: tuple[RefUpdate, ...], taken: TakenPack | None) -> Held:
        """Return what is known of the push.

        Args:
            updates: As sent, on the values upstream has.
            taken: Its pack, which is sound; None when it only deletes.

        Raises:
            UpstreamRefusedError: it cannot be pushed; code ``missing-objects``, ``extra-objects``, ``not-a-commit``,
                ``too-large``.
            NotSentError, VaultError, GitTimeoutError, GitOutputError: it cannot be told.
        """
        if taken is None:
            judged = tuple(JudgedUpdate(each.ref, each.old, each.new, Change.DELETE) for each in updates)
            return await self._held(judged, None, History(), Contents({}, {}), [])
        _, history = await both(
            check_connected(self.case, updates, taken.names),  # 1
            read_ranges(self.case, updates, taken.size_bytes),  # 2
        )
        if isinstance(history, NotSentError):
            raise history
        contents = await measure(self.case, updates, history)  # 3
        judged = tuple([await self._named(update, history) for update in updates])  # 4
        findings = await self._find(history, contents)  # 5
        return await self._held(judged, taken, history, contents, findings)  # 6

    async def _named(self, update: RefUpdate, history: History) -> JudgedUpdate:
        return JudgedUpdate(update.ref, update.old, update.new, await self._change(update, history))

    async def _change(self, update: RefUpdate, history: History) -> Change:
        if update.deletes:
            return Change.DELETE
        if update.old == NULL_OID:
            return Change.CREATE
        if not is_branch(update.ref):
            return Change.FORCE  # a tag is not meant to move at all
        if builds_on(history.commits, update.new, update.old):
            return Change.FAST_FORWARD
        compared = await self.case.git.run("merge-base", "--is-ancestor", update.old, update.new)
        if compared.returncode not in _NO_FORCE:
            raise broken("comparing histories", compared)
        return Change.FAST_FORWARD if compared.ok else Change.FORCE

    async def _find(self, history: History, contents: Contents) -> list[Finding]:
        texts, findings = await read_binaries(self.case, history, contents.sizes)
        if history.unscanned or history.overflow:
            findings.append(Finding("", 0, TOO_LARGE, ""))
        return sorted({*findings, *await self.scanner.scan([*history.added, *texts])})

    async def _held(
        self,
        updates: tuple[JudgedUpdate, ...],
        taken: TakenPack | None,
        history: History,
        contents: Contents,
        findings: list[Finding],
    ) -> Held:
        rules = {finding.rule for finding in findings}
        if history.overflow:
            sent = tuple(RefUpdate(each.ref, each.old, each.new) for each in updates)
            facts = unread_facts(await count_commits(self.case, sent), rules)
        else:
            facts = content_facts(history, contents.sizes, rules)
        preview = await Previewer(self.case, self.scanner).preview(updates, history, findings, contents.tips)
        return Held(
            taken.path if taken else None,
            taken.size_bytes if taken else 0,
            taken.sha256 if taken else "",
            updates,
            ref_facts(updates, self.options) | facts,
            preview,
        )
