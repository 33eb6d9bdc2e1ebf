"""Types of Amazon RDS, whose names mean the same in capitals: requirements have them in small letters."""

from __future__ import annotations

import re
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, SEGMENT, Kind, Scope
from connectors.aws.catalogue.place import UNKNOWN

_WITH_COLON: Final = re.compile("[^/]+")
"""Automated snapshots are ``rds:…``, and option groups AWS makes are ``default:…``."""


def _lower(name: str, *, scope: Scope = Scope.REGIONAL, form: re.Pattern[str] = SEGMENT) -> Kind:
    return Kind("rds", f"{name}:{{}}", scope, form, spell=str.lower, settle=str.lower)


def _with_id(name: str) -> Kind:
    """Return a type whose ARN holds an id that its name does not tell."""
    return Kind("rds", f"{name}:{{}}", spell=lambda _name: UNKNOWN)


DB: Final = _lower("db")
CLUSTER: Final = _lower("cluster")
CLUSTER_ENDPOINT: Final = _lower("cluster-endpoint")
CLUSTER_PG: Final = _lower("cluster-pg")
CLUSTER_SNAPSHOT: Final = _lower("cluster-snapshot", form=_WITH_COLON)
DEPLOYMENT: Final = _lower("deployment")
EVENTS: Final = _lower("es")
GLOBAL_CLUSTER: Final = _lower("global-cluster", scope=Scope.GLOBAL)
OPTIONS: Final = _lower("og", form=_WITH_COLON)
PARAMETERS: Final = _lower("pg")
SECURITY: Final = _lower("secgrp")
SNAPSHOT: Final = _lower("snapshot", form=_WITH_COLON)
SUBNETS: Final = _lower("subgrp")
RESTORED: Final = Kind(
    "rds",
    "cluster-snapshot:{}",
    form=_WITH_COLON,
    spell=str.lower,
    settle=str.lower,
    types=("snapshot:",),
)
"""What a cluster is made from: its name is that of a cluster's snapshot, an ARN may be that of an instance's."""

INTEGRATION: Final = _with_id("integration")
PROXY: Final = _with_id("db-proxy")
PROXY_ENDPOINT: Final = _with_id("db-proxy-endpoint")
SHARDS: Final = _with_id("shard-group")
TARGETS: Final = _with_id("target-group")
TENANT: Final = _with_id("tenant-database")

BACKUP: Final = Kind("rds", "auto-backup:{}", form=ARN_ONLY)

DEFAULT_OPTIONS: Final = f"default:{UNKNOWN}"
DEFAULT_PARAMETERS: Final = f"default.{UNKNOWN}"
DEFAULT_SUBNETS: Final = "default"
"""Groups RDS takes when the request names none, as its policy examples have them."""
