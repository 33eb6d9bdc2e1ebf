"""Databases of both kinds for the tests of this folder."""

from __future__ import annotations

from tests.parts.ledgers import database, database_url, postgres_server, postgres_url, sqlite_database

__all__ = ["database", "database_url", "postgres_server", "postgres_url", "sqlite_database"]
