"""Amazon API Gateway: IAM's actions are the verbs of its API, and the resources are its paths.

Values are put in with their separators escaped, so that none can reach another part of the path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from connectors.aws.catalogue.overrides.apigateway_http import PATHS as HTTP_PATHS
from connectors.aws.catalogue.overrides.apigateway_rest import PATHS as REST_PATHS
from connectors.aws.catalogue.overrides.kinds import Resources, as_given
from connectors.aws.catalogue.overrides.passing import passes_any
from connectors.aws.catalogue.overrides.table import Need, Override, Row, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import found, given, text
from connectors.aws.catalogue.place import UNKNOWN, Params, Place

_VARIABLE: Final = re.compile(r"\{(\w+)\}")
_ESCAPES: Final = str.maketrans({"%": "%25", "/": "%2F", ":": "%3A"})
_PASSING: Final = frozenset({"POST", "PUT", "PATCH"})


def _at(path: str) -> Resources:
    """Return the resource of a path."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        def value_of(match: re.Match[str]) -> str:
            value = params.get(match[1])
            if value is None or value == "":
                return UNKNOWN
            return text(value, match[1]).translate(_ESCAPES)

        yield f"arn:{place.partition}:apigateway:{place.region}::{_VARIABLE.sub(value_of, path)}"

    return resources


def _of_account(path: str) -> Resources:
    """Return a resource whose ARN holds the account."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        for resource in _at(path)(params, place):
            head, _, tail = resource.partition("::")
            yield f"{head}:{place.account}:{tail}"

    return resources


def _sets_policy(params: Params) -> bool:
    """Tell whether a REST API's own policy is written: by a member, a patch, or an import that holds one."""
    body = params.get("body")
    imported = body if isinstance(body, bytes) else str(body or "").encode()
    patches = found(params, "patchOperations[].path") if given("patchOperations")(params) else []
    patched = any(path is None or text(path, "patchOperations[].path").startswith("/policy") for path in patches)
    return given("policy")(params) or patched or b"x-amazon-apigateway-policy" in imported


def _rows(folder: str, paths: Mapping[str, str]) -> Rows:
    rows: dict[str, Override] = {}
    for path, operations in paths.items():
        for entry in operations.split():
            verb, _, operation = entry.partition(":")
            needs = [Need(f"apigateway:{verb}", _at(path))]
            if "{domainName}" in path:
                private = _of_account(path.replace("{domainName}", "{domainName}+{domainNameId}"))
                needs.append(Need(f"apigateway:{verb}", private, given("domainNameId")))
            if path in {"/restapis", "/restapis/{restApiId}"} and verb in _PASSING:
                needs.append(Need("apigateway:UpdateRestApiPolicy", _at("/restapis/{restApiId}"), _sets_policy))
            if verb in _PASSING:
                needs.append(passes_any())
            rows[f"{folder}:{operation}"] = Row(tuple(needs))
    return rows


_REST: Final = Service("apigateway", "apigateway")
_ASSOCIATION: Final = as_given("apigateway", "domainNameAccessAssociationArn")
_DOMAIN: Final = as_given("apigateway", "domainNameArn")

_ASSOCIATIONS: Final[Rows] = merged(
    _REST.each("GetDomainNameAccessAssociations=GET", _of_account("/domainnameaccessassociations")),
    _REST.each("DeleteDomainNameAccessAssociation=DELETE", _ASSOCIATION),
    _REST.each(
        "CreateDomainNameAccessAssociation=POST",
        _of_account("/domainnameaccessassociations"),
        more=(Need("apigateway:CreateAccessAssociation", _DOMAIN),),
    ),
    _REST.each(
        "RejectDomainNameAccessAssociation=POST",
        _ASSOCIATION,
        more=(Need("apigateway:RejectAccessAssociation", _DOMAIN),),
    ),
)

TABLE: Final[Rows] = merged(_rows("apigateway", REST_PATHS), _rows("apigatewayv2", HTTP_PATHS), _ASSOCIATIONS)
