"""Every (action, resource) pair an operation needs, from its checked params and what was found out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from connectors.base import Access, JsonObject
from connectors.errors import InvalidParamsError
from connectors.github.catalogue import Entry
from connectors.github.moves import MOVES
from connectors.github.names import UNKNOWN, check_account, check_branch, check_part, check_repository
from connectors.github.params import Checked
from connectors.github.places import place_of
from connectors.github.verbs import READ, access_of, own_action
from policies.model import Requirement

_TEAM_REPO: Final = "/orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}"
_NUMERIC_WORKFLOW: Final = "workflow_id"
_BRANCH: Final = "branch"


def asked_by(action: str, entry: Entry) -> tuple[str, ...]:
    """Return every action the requirements of an operation can name, without its params."""
    move = MOVES.get(action)
    own = () if move is not None and not move.own else (own_action(action, entry),)
    moves = move.asks if move is not None else ()
    reads = (READ,) if action in _MORE and _MORE[action].reads else ()
    return tuple(dict.fromkeys((*own, *moves, *reads)))


def requirements_of(action: str, entry: Entry, checked: Checked, found: JsonObject) -> tuple[Requirement, ...]:
    """Return what must be allowed, at least one.

    Args:
        action: The operation.
        entry: Its row.
        checked: Its params.
        found: What was found out, see `connectors.github.findings`.

    Raises:
        InvalidParamsError: a value names no resource.
    """
    move = MOVES.get(action)
    needs: list[Requirement] = []
    if move is None or move.own:
        needs += [Requirement(own_action(action, entry), each) for each in _resources(action, entry, checked, found)]
    if move is not None:
        needs += move.needs(checked, found)
    if action in _MORE:
        needs += _MORE[action].needs(action, checked)
    return tuple(dict.fromkeys(needs))


def _resources(action: str, entry: Entry, checked: Checked, found: JsonObject) -> list[str]:
    place = place_of(entry.path, reads=access_of(action, entry) is Access.READ)
    values = {name: _part(name, checked.path[name]) for name in place.names}
    if _NUMERIC_WORKFLOW in values and values[_NUMERIC_WORKFLOW].isdecimal():
        values[_NUMERIC_WORKFLOW] = check_part(found["workflow"], _NUMERIC_WORKFLOW)
    if found.get("is_pull") and "issue_number" in values:
        first = f"repos/{checked.repo}/pull-requests/{values['issue_number']}"
    else:
        first = place.template.format_map(values)
    more = [f"repos/{checked.repo}"] if entry.path == _TEAM_REPO else []
    return [first, *more]


def _part(name: str, text: str) -> str:
    return check_branch(text, name) if name == _BRANCH else check_part(text, name)


class _More:
    """Requirements that rest on params outside the path.

    Args:
        needs: Of the operation's name and its params.
        reads: They are reads of other repositories.
    """

    def __init__(self, needs: Callable[[str, Checked], list[Requirement]], *, reads: bool = False) -> None:
        self.needs = needs
        self.reads = reads


def _head_elsewhere(_action: str, checked: Checked) -> list[Requirement]:
    """A pull request shows the commits of the repository its head is in."""
    account, colon, _ = str(checked.body["head"]).partition(":")
    named = checked.body.get("head_repo")
    if not colon and not named:
        return []
    owner = check_account(account, "head") if colon else checked.path["owner"]
    if named:
        # Documented as a name; a full name is understood as well.
        name = check_repository(str(named).rpartition("/")[2], "head_repo")
        owner = check_account(str(named).partition("/")[0], "head_repo") if "/" in str(named) else owner
        return [Requirement(READ, f"repos/{owner}/{name}")]
    return [] if owner == checked.path["owner"] else [Requirement(READ, f"repos/{owner}/{UNKNOWN}")]


def _compared(_action: str, checked: Checked) -> list[Requirement]:
    """Both ends of a comparison may be in other repositories: ``user:branch``, ``user:repo:branch``."""
    needs = []
    for end in checked.path["basehead"].replace("...", "..").split(".."):
        parts = end.split(":")
        if len(parts) > 3:  # noqa: PLR2004 - owner, repository and branch
            raise InvalidParamsError("`basehead` is no comparison", "`main...user:branch`")
        if len(parts) > 1:
            repo = check_repository(parts[1], "basehead") if len(parts) > 2 else UNKNOWN  # noqa: PLR2004 - likewise
            needs.append(Requirement(READ, f"repos/{check_account(parts[0], 'basehead')}/{repo}"))
    return needs


def _into_account(param: str) -> Callable[[str, Checked], list[Requirement]]:
    """A repository comes to be in an account: that of an organisation, or of whoever the credential is."""

    def needs(action: str, checked: Checked) -> list[Requirement]:
        owner = checked.body.get(param)
        return [Requirement(action, f"orgs/{check_account(str(owner), param)}" if owner else "user")]

    return needs


_MORE: Final[Mapping[str, _More]] = MappingProxyType(
    {
        "github:pulls.create": _More(_head_elsewhere, reads=True),
        "github:repos.compare-commits-with-basehead": _More(_compared, reads=True),
        "github:repos.create-using-template": _More(_into_account("owner")),
        "github:repos.create-fork": _More(_into_account("organization")),
        "github:repos.transfer": _More(_into_account("new_owner")),
    }
)
