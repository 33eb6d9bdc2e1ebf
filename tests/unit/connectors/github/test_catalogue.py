"""The packaged catalogue is the one that was reviewed, and a damaged one is a fault of the build."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from importlib.resources import files

import pytest

from connectors import github
from connectors.base import Access
from connectors.github.catalogue import FILE, MAGIC, CatalogueFileError, GitHubCatalogue, actions, load
from connectors.github.graphql.operations import GRAPHQL_OPERATIONS
from connectors.github.operations import OperationTable
from connectors.github.verbs import access_of, why_unserved
from deploy.github_catalogue.source import PACKAGE, SHA512, VERSION

DIGEST = "39763cb3292b9b32138856411e45c3fb0f850f17698617ab76323ac5837c44df"
"""SHA-256 of the file: whoever builds it again looks at what changed and writes the new digest here."""


def test_the_packaged_file_is_the_reviewed_one() -> None:
    data = files(github).joinpath(FILE).read_bytes()
    assert hashlib.sha256(data).hexdigest() == DIGEST
    assert len(data) < 300_000
    assert load().sources == {PACKAGE: VERSION, "sha512": SHA512}


def test_every_operation_has_a_class_and_the_unserved_ones_are_few() -> None:
    classes = Counter(access_of(action, entry) for action, entry in actions().items())
    assert classes == {Access.READ: 640, Access.WRITE: 383, Access.DESTROY: 187, Access.SECRET: 13}
    assert sum(1 for action, entry in actions().items() if why_unserved(action, entry)) == 25


@pytest.mark.parametrize(
    "data",
    [b"", b"ostiary-github-0\n", MAGIC, MAGIC + b"x", MAGIC + zlib.compress(b"{}"), MAGIC + zlib.compress(b"[]")],
)
def test_a_damaged_file_is_told(data: bytes) -> None:
    with pytest.raises(CatalogueFileError):
        GitHubCatalogue(data)


def test_the_table_names_and_counts_what_the_catalogue_holds() -> None:
    table = OperationTable()
    assert len(actions()) == 1223
    assert len(table) == len(list(table)) == len(table.permissions) == len(actions()) + len(GRAPHQL_OPERATIONS)
    assert "github:pulls.merge" in table
    assert "github:pulls.nothing" not in table
    assert table.loading("github:pulls.merge") is None
    assert table.other_actions == frozenset()
    with pytest.raises(KeyError):
        table["github:pulls.nothing"]
    with pytest.raises(KeyError):
        table.outline("github:pulls.nothing")


def test_an_outline_is_a_row_without_what_is_large() -> None:
    outline, row = OperationTable().outline("github:pulls.merge"), OperationTable()["github:pulls.merge"]
    assert (outline.summary, outline.access, outline.permissions) == (row.summary, row.access, row.permissions)
    assert (outline.params_schema, outline.example) == ({}, {})


def test_the_operations_with_secrets_are_those_of_the_class() -> None:
    assert OperationTable().secret_operations == {
        action for action, entry in actions().items() if access_of(action, entry) is Access.SECRET
    }


def test_an_operation_that_is_not_served_says_so_where_it_is_listed() -> None:
    assert "not served" in OperationTable().outline("github:apps.check-token").summary
