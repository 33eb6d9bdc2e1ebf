"""How what is asked in GraphQL is refused, and how what clients wrote is shown and read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from connectors.errors import InvalidParamsError
from connectors.github.names import check_account, check_repository

if TYPE_CHECKING:
    from graphql import GraphQLError

MAX_SHOWN_CHARS: Final = 300
"""Of a message that holds names of the client's."""

_QUOTED: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")


def refused(
    reason: str, fix: str = "see `connectors/github/graphql/README.md` for what is served"
) -> InvalidParamsError:
    """Return the error that says why something cannot be asked.

    Args:
        reason: What was found; it may hold names of the client's.
        fix: What the client can do.
    """
    return InvalidParamsError(shown(reason), fix=fix)


def of_library(error: GraphQLError) -> InvalidParamsError:
    """Return an error of the parser, the validator or the coercion of values, in our words' form."""
    text = _QUOTED.sub(lambda found: f"`{found[1] or found[2] or ''}`", error.message).rstrip(".")
    return refused(text[:1].lower() + text[1:])


def shown(text: str) -> str:
    """Return text as it may stand in a message: in ASCII, one line, bounded."""
    plain = ascii(text[:MAX_SHOWN_CHARS])[1:-1]
    return plain if len(text) <= MAX_SHOWN_CHARS else f"{plain}..."


def full_name(text: object) -> str:
    """Return ``owner/name`` of a repository, folded to lower case as GitHub folds it.

    Raises:
        InvalidParamsError: it is none.
    """
    owner, _, name = text.partition("/") if isinstance(text, str) else ("", "", "")
    return f"{check_account(owner, 'owner')}/{check_repository(name, 'name')}"
