"""IAM calls some services otherwise than botocore; what nobody can tell keeps the name it signs with."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from deploy.catalogue.prefixes import prefix_of
from deploy.catalogue.sources import Action, SourceMissingError, Sources, _folder

KNOWN = {
    "cloudwatch": ["PutMetricData"],
    "rds": ["CreateDBInstance"],
    "states": ["StartExecution"],
    "invoicing": ["GetInvoice", "ListInvoices", "PutInvoice"],
}


@dataclass
class Model:
    """As much of botocore's model of a service as is looked at."""

    signing_name: str
    endpoint_prefix: str = ""
    operation_names: tuple[str, ...] = ()


def found(service: str, model: Model) -> str:
    """The prefix among `KNOWN`."""
    table = {prefix: {name.lower(): Action(prefix, name, "", ()) for name in names} for prefix, names in KNOWN.items()}
    return prefix_of(service, model, Sources(table, {}, frozenset(), frozenset(), frozenset(), None))


@pytest.mark.parametrize(
    ("service", "model", "prefix"),
    [
        ("neptune", Model("rds"), "rds"),
        ("cloudwatch", Model("monitoring", "monitoring"), "cloudwatch"),
        ("stepfunctions", Model("states", "states"), "states"),
        ("billing", Model("inv", "inv", ("GetInvoice", "ListInvoices")), "invoicing"),
        ("billing", Model("inv", "inv", ("GetInvoice", "A", "B", "C")), "inv"),
        ("billing", Model("inv", "inv", ("GetInvoice",)), "inv"),
        ("brand-new", Model("bn", "bn"), "bn"),
    ],
)
def test_a_service_has_the_prefix_iam_knows_it_by(service: str, model: Model, prefix: str) -> None:
    assert found(service, model) == prefix


def test_a_source_that_is_not_installed_is_named() -> None:
    with pytest.raises(SourceMissingError, match="no_such_source"):
        _folder("no_such_source")
