"""The mutations that are served, each as the operation of REST it stands for: the same action on the same resource.

A mutation names what it changes by id, so what must be allowed follows from its input and from what its ids name.
Beside that the repository must be readable (``git:read``): the answer of a mutation can show any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from connectors.base import JsonObject
from connectors.github.graphql.nodes import Kind, Node
from connectors.github.names import UNKNOWN, check_account, check_ref, check_sha, ref_resource
from connectors.github.verbs import DELETE_REF, FORCE_PUSH, PUSH, READ
from policies.model import Requirement

AUTO_MERGE: Final = "github:graphql.enable-auto-merge"
"""Asked besides ``git:merge``: whatever is pushed between the approval and the merge is merged as well."""

_COMMENT: Final = "git:comment"
_MERGE: Final = "git:merge"
_OPEN: Final = "git:open-pr"
_REVIEW: Final = "git:review"

Nodes = Mapping[str, Node]
Needs = Callable[[JsonObject, Node, Nodes], list[Requirement]]
"""Input, what its subject names, what all of its ids name -> what must be allowed."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """How a mutation is judged.

    Args:
        subject: Fields of the input of which exactly one names what is changed.
        kinds: What that may be.
        asks: The actions it can ask for, ``git:read`` besides.
        needs: What it asks.
        says: Verb and noun for people.
        others: More fields of the input whose ids are looked up.
        head: Field of the input that is set to the head a pull request has when it is looked up; empty for none.
        must_be_head: Whether a value the client gives there must be that head.
    """

    subject: tuple[str, ...]
    kinds: frozenset[Kind]
    asks: tuple[str, ...]
    needs: Needs
    says: str
    others: tuple[str, ...] = ()
    head: str = ""
    must_be_head: bool = True


def _thread(action: str, *more: str) -> Needs:
    """On the pull request or issue something is or belongs to."""
    return lambda _given, subject, _nodes: [Requirement(each, subject.thread) for each in (action, *more)]


def _repository(action: str) -> Needs:
    return lambda _given, subject, _nodes: [Requirement(action, f"repos/{subject.repository}")]


def _open(given: JsonObject, subject: Node, nodes: Nodes) -> list[Requirement]:
    """A pull request shows the commits of the repository its head is in, as in `connectors.github.requirements`."""
    needs = [Requirement(_OPEN, f"repos/{subject.repository}")]
    named = given.get("headRepositoryId")
    account, colon, _ = str(given["headRefName"]).partition(":")
    if named:
        needs.append(Requirement(READ, f"repos/{nodes[named].repository}"))
    owner = check_account(account, "headRefName") if colon else ""
    homes = {each.repository.partition("/")[0] for each in (subject, *([nodes[named]] if named else []))}
    if owner and owner not in homes:
        needs.append(Requirement(READ, f"repos/{owner}/{UNKNOWN}"))
    return needs


def _update_branch(_given: JsonObject, subject: Node, _nodes: Nodes) -> list[Requirement]:
    if not subject.head_repository:
        return [Requirement(PUSH, f"repos/{UNKNOWN}/{UNKNOWN}/branches/{UNKNOWN}")]
    return [Requirement(PUSH, ref_resource(subject.head_repository, check_ref(subject.ref, "headRefName")))]


def _create_ref(given: JsonObject, subject: Node, _nodes: Nodes) -> list[Requirement]:
    check_sha(given["oid"], "oid")
    return [Requirement(PUSH, ref_resource(subject.repository, check_ref(given["name"], "name")))]


def _update_ref(given: JsonObject, subject: Node, _nodes: Nodes) -> list[Requirement]:
    check_sha(given["oid"], "oid")
    ref = check_ref(subject.ref, "refId")
    is_forced = given.get("force") is True or ref.startswith("refs/tags/")
    return [Requirement(FORCE_PUSH if is_forced else PUSH, ref_resource(subject.repository, ref))]


def _delete_ref(_given: JsonObject, subject: Node, _nodes: Nodes) -> list[Requirement]:
    return [Requirement(DELETE_REF, ref_resource(subject.repository, check_ref(subject.ref, "refId")))]


def _linked_branch(given: JsonObject, subject: Node, nodes: Nodes) -> list[Requirement]:
    """GitHub makes up a name when none is given."""
    check_sha(given["oid"], "oid")
    named = given.get("repositoryId")
    repo = nodes[named].repository if named else subject.repository
    name = given.get("name")
    branch = ref_resource(repo, check_ref(f"refs/heads/{name}", "name")) if name else f"repos/{repo}/branches/{UNKNOWN}"
    return [Requirement(PUSH, branch), Requirement("github:issues.update", subject.thread)]


def _mutation(subject: str, kinds: str, action: str, says: str, needs: Needs | None = None, **more: Any) -> Mutation:  # noqa: ANN401 - the rest of the row
    on = frozenset(Kind[each] for each in kinds.split())
    asks = more.pop("asks", (action,))
    return Mutation(tuple(subject.split()), on, asks, needs or _thread(action), says, **more)


_PULL: Final = "PULL_REQUEST"
_ISSUE: Final = "ISSUE"
_EITHER: Final = "PULL_REQUEST ISSUE"
_REPO: Final = "REPOSITORY"
_REVIEWED: Final = "REVIEW PULL_REQUEST"
_UPDATE: Final = "github:pulls.update"
_ASK_REVIEWS: Final = "github:pulls.request-reviewers"
_REMOVE_LABEL: Final = "github:issues.remove-label"

MUTATIONS: Final[Mapping[str, Mutation]] = MappingProxyType(
    {
        "createPullRequest": _mutation(
            "repositoryId", _REPO, _OPEN, "open a pull request in", _open, others=("headRepositoryId",)
        ),
        "mergePullRequest": _mutation("pullRequestId", _PULL, _MERGE, "merge", head="expectedHeadOid"),
        "enablePullRequestAutoMerge": _mutation(
            "pullRequestId", _PULL, _MERGE, "merge when its checks have passed", _thread(_MERGE, AUTO_MERGE),
            asks=(_MERGE, AUTO_MERGE), head="expectedHeadOid",
        ),
        "disablePullRequestAutoMerge": _mutation("pullRequestId", _PULL, _UPDATE, "do not merge by itself"),
        "closePullRequest": _mutation("pullRequestId", _PULL, _UPDATE, "close"),
        "reopenPullRequest": _mutation("pullRequestId", _PULL, _UPDATE, "reopen"),
        "updatePullRequest": _mutation("pullRequestId", _PULL, _UPDATE, "edit"),
        "markPullRequestReadyForReview": _mutation("pullRequestId", _PULL, _UPDATE, "mark as ready"),
        "convertPullRequestToDraft": _mutation("pullRequestId", _PULL, _UPDATE, "mark as draft"),
        "updatePullRequestBranch": _mutation(
            "pullRequestId", _PULL, PUSH, "bring up to date the branch of", _update_branch, head="expectedHeadOid"
        ),
        "addPullRequestReview": _mutation(
            "pullRequestId", _PULL, _REVIEW, "review", head="commitOID", must_be_head=False
        ),
        "submitPullRequestReview": _mutation("pullRequestReviewId pullRequestId", _REVIEWED, _REVIEW, "review"),
        "addPullRequestReviewThreadReply": _mutation(
            "pullRequestReviewThreadId", "REVIEW_THREAD", _COMMENT, "reply to a review of"
        ),
        "resolveReviewThread": _mutation("threadId", "REVIEW_THREAD", _REVIEW, "resolve a thread of"),
        "unresolveReviewThread": _mutation("threadId", "REVIEW_THREAD", _REVIEW, "take up a thread of"),
        "requestReviews": _mutation("pullRequestId", _PULL, _ASK_REVIEWS, "request reviews of"),
        "requestReviewsByLogin": _mutation("pullRequestId", _PULL, _ASK_REVIEWS, "request reviews of"),
        "createIssue": _mutation(
            "repositoryId", _REPO, "github:issues.create", "open an issue in", _repository("github:issues.create")
        ),
        "closeIssue": _mutation("issueId", _ISSUE, "github:issues.update", "close"),
        "reopenIssue": _mutation("issueId", _ISSUE, "github:issues.update", "reopen"),
        "updateIssue": _mutation("id", _ISSUE, "github:issues.update", "edit"),
        "pinIssue": _mutation("issueId", _ISSUE, "github:issues.update", "pin"),
        "unpinIssue": _mutation("issueId", _ISSUE, "github:issues.update", "unpin"),
        "addComment": _mutation("subjectId", _EITHER, _COMMENT, "comment on"),
        "updateIssueComment": _mutation(
            "id", "ISSUE_COMMENT", "github:issues.update-comment", "edit a comment on",
            _repository("github:issues.update-comment"),
        ),
        "deleteIssueComment": _mutation(
            "id", "ISSUE_COMMENT", "github:issues.delete-comment", "delete a comment on",
            _repository("github:issues.delete-comment"),
        ),
        "addLabelsToLabelable": _mutation("labelableId", _EITHER, "github:issues.add-labels", "label"),
        "removeLabelsFromLabelable": _mutation("labelableId", _EITHER, _REMOVE_LABEL, "take labels from"),
        "addAssigneesToAssignable": _mutation("assignableId", _EITHER, "github:issues.add-assignees", "assign"),
        "removeAssigneesFromAssignable": _mutation(
            "assignableId", _EITHER, "github:issues.remove-assignees", "take assignees from"
        ),
        "replaceActorsForAssignable": _mutation("assignableId", _EITHER, "github:issues.add-assignees", "assign"),
        "lockLockable": _mutation("lockableId", _EITHER, "github:issues.lock", "lock"),
        "unlockLockable": _mutation("lockableId", _EITHER, "github:issues.unlock", "unlock"),
        "createRef": _mutation("repositoryId", _REPO, PUSH, "make a branch or tag in", _create_ref),
        "updateRef": _mutation(
            "refId", "REF", PUSH, "move a branch or tag of", _update_ref, asks=(PUSH, FORCE_PUSH)
        ),
        "deleteRef": _mutation("refId", "REF", DELETE_REF, "delete a branch or tag of", _delete_ref),
        "createLinkedBranch": _mutation(
            "issueId", _ISSUE, PUSH, "make a branch for", _linked_branch,
            asks=(PUSH, "github:issues.update"), others=("repositoryId",),
        ),
        "archiveRepository": _mutation(
            "repositoryId", _REPO, "github:repos.update", "archive", _repository("github:repos.update")
        ),
        "unarchiveRepository": _mutation(
            "repositoryId", _REPO, "github:repos.update", "unarchive", _repository("github:repos.update")
        ),
    }
)  # fmt: skip
"""Field of `Mutation` -> how it is judged; what is not here is refused."""

PERMISSIONS: Final = tuple(sorted({READ, *(ask for each in MUTATIONS.values() for ask in each.asks)}))
"""Every action a mutation can ask for."""
