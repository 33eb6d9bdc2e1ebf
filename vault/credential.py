"""An opened credential: strict about what goes in, explicit about what is secret, and its form inside a sealed record.

| kind   | fields                                                  | secret                            | identity      |
|--------|---------------------------------------------------------|-----------------------------------|---------------|
| aws    | access_key_id, secret_access_key, session_token (may)   | secret_access_key, session_token  | access_key_id |
| basic  | username, password                                      | password                          | username      |
| bearer | token                                                   | token                             |               |

A secret has at least `MIN_SECRET_BYTES`: one that is too short to be looked for in results may not be kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vault.errors import BadRequestError, IntegrityError
from vault.fields import pack, unpack
from vault.hosts import normalise_patterns
from vault.model import CredentialInfo, CredentialKind, CredentialRef, SecretValue
from vault.seal import RecordId

MIN_SECRET_BYTES: Final = 8
MAX_SECRET_BYTES: Final = 16 << 10
MAX_REF_CHARS: Final = 128

_REF: Final = re.compile(r"[a-z0-9][a-z0-9._-]*/[a-z0-9][a-z0-9._-]*", re.ASCII)
_HOSTS: Final = "@hosts"
_CREATED: Final = "@created_at_ns"


@dataclass(frozen=True, slots=True)
class Field:
    """What one field may hold; the pattern is matched against the whole value."""

    pattern: re.Pattern[bytes]
    secret: bool = True
    optional: bool = False


_PRINTABLE: Final = rb"[\x21-\x7e]"
_NO_CONTROLS: Final = rb"[^\x00-\x1f\x7f]"
_SECRET_SIZE: Final = b"{%d,%d}" % (MIN_SECRET_BYTES, MAX_SECRET_BYTES)

FIELDS: Final[Mapping[CredentialKind, Mapping[str, Field]]] = {
    CredentialKind.AWS: {
        "access_key_id": Field(re.compile(rb"[A-Za-z0-9_]{4,128}"), secret=False),
        "secret_access_key": Field(re.compile(_PRINTABLE + rb"{8,256}")),
        "session_token": Field(re.compile(_PRINTABLE + _SECRET_SIZE), optional=True),
    },
    CredentialKind.BASIC: {
        # RFC 7617 section 2: the first colon ends the user name; neither part holds control characters.
        "username": Field(re.compile(rb"[^\x00-\x1f\x7f:]{1,256}"), secret=False),
        "password": Field(re.compile(_NO_CONTROLS + _SECRET_SIZE)),
    },
    CredentialKind.BEARER: {
        # RFC 6750 section 2.1 (b64token), wider by the printable characters some issuers use.
        "token": Field(re.compile(_PRINTABLE + _SECRET_SIZE)),
    },
}
_IDENTITY: Final[Mapping[CredentialKind, str]] = {
    CredentialKind.AWS: "access_key_id",
    CredentialKind.BASIC: "username",
    CredentialKind.BEARER: "",
}


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential in the memory of the vault process.

    Args:
        ref: Its name.
        kind: Its kind.
        version: From 1.
        hosts: Normalised host patterns it is bound to.
        created_at_ns: When this version was put.
        fields: Its values, secret or not.
    """

    ref: CredentialRef
    kind: CredentialKind
    version: int
    hosts: tuple[str, ...]
    created_at_ns: int
    fields: Mapping[str, SecretValue]

    @property
    def record(self) -> RecordId:
        """What its sealed record is bound to."""
        return RecordId(self.ref, self.kind.value, self.version)

    @property
    def identity(self) -> str:
        """The part that is no secret; empty when there is none."""
        name = _IDENTITY[self.kind]
        return self.fields[name].reveal().decode() if name else ""

    def info(self, last_used_at_ns: int = 0) -> CredentialInfo:
        """Return what may be shown of it."""
        return CredentialInfo(
            ref=self.ref,
            kind=self.kind,
            version=self.version,
            hosts=self.hosts,
            identity=self.identity,
            created_at_ns=self.created_at_ns,
            last_used_at_ns=last_used_at_ns,
        )

    def secrets(self) -> list[bytes]:
        """Return the values that must never be seen outside."""
        return [
            self.fields[name].reveal()
            for name, rule in FIELDS[self.kind].items()
            if rule.secret and name in self.fields
        ]

    def encode(self) -> bytes:
        """Return the plaintext of its record."""
        own = {_HOSTS: "\n".join(self.hosts).encode(), _CREATED: str(self.created_at_ns).encode()}
        return pack(own | {name: value.reveal() for name, value in self.fields.items()})


def decode_credential(record: RecordId, plain: bytes) -> Credential:
    """Parse the plaintext of an authenticated record.

    Raises:
        IntegrityError: this version of the vault does not know its form.
    """
    try:
        values = unpack(plain)
        return Credential(
            ref=CredentialRef(record.ref),
            kind=CredentialKind(record.kind),
            version=record.version,
            hosts=tuple(values.pop(_HOSTS).decode().split("\n")),
            created_at_ns=int(values.pop(_CREATED)),
            fields={name: SecretValue(value) for name, value in values.items()},
        )
    except (BadRequestError, KeyError, ValueError):
        raise IntegrityError(f"the record of `{record.ref}` has an unknown form") from None


def check_ref(ref: str) -> CredentialRef:
    """Return a well-formed credential name.

    Raises:
        BadRequestError: it is not ``folder/name`` in lower-case letters, digits, ``-``, ``_`` and ``.``.
    """
    if len(ref) > MAX_REF_CHARS or not _REF.fullmatch(ref):
        shown = ref.encode("unicode_escape").decode()[:MAX_REF_CHARS]
        raise BadRequestError(f"`{shown}` is no credential name: expected `folder/name` in lower case")
    return CredentialRef(ref)


def check_hosts(hosts: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Return normalised host patterns.

    Raises:
        BadRequestError: there is none, or one is no host pattern.
    """
    return normalise_patterns(hosts)


def check_fields(kind: CredentialKind, fields: Mapping[str, bytes]) -> dict[str, SecretValue]:
    """Return the fields of a credential, wrapped.

    Raises:
        BadRequestError: a field is missing, unknown or malformed; names it, never its value.
    """
    rules = FIELDS[kind]
    unknown = sorted(set(fields) - set(rules))
    if unknown:
        shown = unknown[0].encode("unicode_escape").decode()[:MAX_REF_CHARS]
        raise BadRequestError(f"a credential of kind `{kind}` has no field `{shown}`: expected {', '.join(rules)}")
    for name, rule in rules.items():
        value = fields.get(name)
        if value is None and not rule.optional:
            raise BadRequestError(f"a credential of kind `{kind}` needs the field `{name}`")
        if value is not None and not _fits(rule, value):
            least = f", at least {MIN_SECRET_BYTES} bytes" if rule.secret else ""
            raise BadRequestError(f"the field `{name}` is malformed: wrong length or characters{least}")
    return {name: SecretValue(value) for name, value in fields.items()}


def _fits(rule: Field, value: bytes) -> bool:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return False
    # What is shown to people holds nothing that could disguise it (direction marks, invisible characters).
    return rule.pattern.fullmatch(value) is not None and (rule.secret or text.isprintable())
