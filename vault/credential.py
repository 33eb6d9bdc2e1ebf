"""An opened credential: strict about what goes in, explicit about what is secret, and its form inside a sealed record.

| kind       | fields                                                | secret                   | identity      |
|------------|-------------------------------------------------------|--------------------------|---------------|
| aws        | access_key_id, secret_access_key, session_token (may) | all but the first        | access_key_id |
| basic      | username, password                                    | password                 | username      |
| bearer     | token                                                 | token                    |               |
| github-app | app_id, private_key                                   | private_key              | app_id        |
| ssh        | private_key                                           | private_key              | fingerprint   |
| sealed     | 1 to 64, each named by a JSON pointer                 | all                      | how many      |

A secret has at least `MIN_SECRET_BYTES`: one that is too short to be looked for in results may not be kept. Sealed ones
are what an upstream gave, which nobody chose: they are kept whatever their length, and short ones are not looked for.
Of a private key each line is looked for by itself, so that it is found whatever breaks its lines.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from vault.crypto import check_app_key, check_ssh_key, ssh_public_key
from vault.errors import BadRequestError, IntegrityError
from vault.fields import pack, unpack
from vault.hosts import normalise_patterns
from vault.model import CredentialInfo, CredentialKind, CredentialRef, SecretValue
from vault.seal import RecordId

MIN_SECRET_BYTES: Final = 8
MAX_SECRET_BYTES: Final = 16 << 10
MAX_REF_CHARS: Final = 128

MAX_SEALED_FIELDS: Final = 64
MAX_POINTER_CHARS: Final = 1024

_KEY_LINE_CHARS: Final = 16
"""A shorter line of a private key, the last one at most, tells nothing."""
_OPENSSH_MAGIC: Final = b"b3BlbnNzaC1rZXktdjE"
"""``openssh-key-v1`` in base64."""

_REF: Final = re.compile(r"[a-z0-9][a-z0-9._-]*/[a-z0-9][a-z0-9._-]*", re.ASCII)
_HOSTS: Final = "@hosts"
_CREATED: Final = "@created_at_ns"


@dataclass(frozen=True, slots=True)
class Field:
    """What one field may hold.

    Args:
        pattern: Matched against the whole value.
        secret: Whether it may be seen outside.
        optional: Whether it may be left out.
        private_key: Refuses what is no private key; None for a field that is none. It raises BadRequestError.
    """

    pattern: re.Pattern[bytes]
    secret: bool = True
    optional: bool = False
    private_key: Callable[[bytes], None] | None = None


_PRINTABLE: Final = rb"[\x21-\x7e]"
_NO_CONTROLS: Final = rb"[^\x00-\x1f\x7f]"
_SECRET_SIZE: Final = b"{%d,%d}" % (MIN_SECRET_BYTES, MAX_SECRET_BYTES)
_PEM: Final = re.compile(rb"\s*-----BEGIN [A-Z ]{1,32}-----[\x20-\x7e\r\n]" + _SECRET_SIZE)

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
    CredentialKind.GITHUB_APP: {
        # The number of an app, or its client id, which GitHub takes as well.
        "app_id": Field(re.compile(rb"[A-Za-z0-9._-]{1,64}"), secret=False),
        "private_key": Field(_PEM, private_key=check_app_key),
    },
    CredentialKind.SSH: {"private_key": Field(_PEM, private_key=check_ssh_key)},
    CredentialKind.SEALED: {},
}
"""The named fields of each kind; those of a sealed one are named by where they stood."""

_IDENTITY: Final[Mapping[CredentialKind, str]] = {
    CredentialKind.AWS: "access_key_id",
    CredentialKind.BASIC: "username",
    CredentialKind.BEARER: "",
    CredentialKind.GITHUB_APP: "app_id",
    CredentialKind.SSH: "",
    CredentialKind.SEALED: "",
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
        """The part that is no secret; empty when there is none, how many there are for a sealed one."""
        if self.kind is CredentialKind.SEALED:
            return f"{len(self.fields)} value" + ("s" if len(self.fields) > 1 else "")
        if self.kind is CredentialKind.SSH:
            # As `ssh-keygen -l` and GitHub show it.
            digest = hashlib.sha256(ssh_public_key(self.fields["private_key"].reveal())).digest()
            return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
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
        """Return the values that must never be seen outside, as far as they can be looked for."""
        if self.kind is CredentialKind.SEALED:
            values = [value.reveal() for value in self.fields.values()]
            return [value for value in values if len(value) >= MIN_SECRET_BYTES]
        secrets: list[bytes] = []
        for name, rule in FIELDS[self.kind].items():
            if rule.secret and name in self.fields:
                value = self.fields[name].reveal()
                secrets += [value] if rule.private_key is None else _key_lines(value)
        return secrets

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
            hosts=tuple(values.pop(_HOSTS).decode().splitlines()),
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
    if kind is CredentialKind.SEALED:
        return _check_sealed(fields)
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
        if value is not None and rule.private_key is not None:
            rule.private_key(value)
    return {name: SecretValue(value) for name, value in fields.items()}


def _key_lines(text: bytes) -> list[bytes]:
    lines = [line.strip() for line in text.split(b"\n")]
    body = [line for line in lines if b"-----" not in line]
    found = [line for line in body if len(line) >= _KEY_LINE_CHARS]
    # The first line of OpenSSH's form says what follows, and is the same in many keys.
    return found[1:] if found[1:] and found[0].startswith(_OPENSSH_MAGIC) else found


def _check_sealed(fields: Mapping[str, bytes]) -> dict[str, SecretValue]:
    if not 1 <= len(fields) <= MAX_SEALED_FIELDS:
        raise BadRequestError(f"1 to {MAX_SEALED_FIELDS} values are kept together")
    for name in fields:
        # RFC 6901: empty for the whole, else it begins with a slash. The record's own names do not.
        if len(name) > MAX_POINTER_CHARS or (name and not name.startswith("/")):
            raise BadRequestError(f"a kept value is named by a JSON pointer of at most {MAX_POINTER_CHARS} characters")
    return {name: SecretValue(value) for name, value in fields.items()}


def _fits(rule: Field, value: bytes) -> bool:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return False
    # What is shown to people holds nothing that could disguise it (direction marks, invisible characters).
    return rule.pattern.fullmatch(value) is not None and (rule.secret or text.isprintable())
