"""What the vault signs for SSH: a user authentication with the very key, and nothing else.

Whoever holds a connection to an agent can have it sign anything: another host's login, a commit, a file (SSHSIG). So
what is to be signed is read first; it has one form (RFC 4252 section 7, and OpenSSH's ``hostbound`` variant of it):

    string session id, byte 50, string user, string "ssh-connection", string "publickey", boolean TRUE,
    string algorithm, string public key[, string host key]

What is NOT checked: which host the session is with. A host's key is in it for hosts that know the variant only; the
client of SSH checks the host, and the vault that the credential is bound to its name.
"""

from __future__ import annotations

from typing import Final

from vault.credential import Credential
from vault.crypto import RSA_SHA256, RSA_SHA512, ssh_public_key, ssh_signature, ssh_string
from vault.errors import BadRequestError, LeaseRefusal, LeaseRefusedError
from vault.model import CredentialKind

MAX_DATA_BYTES: Final = 16 << 10
"""An RSA key of 16384 bits and a host key of the same size fit."""
MAX_SESSION_ID_BYTES: Final = 64
"""An exchange hash: SHA-512 is the longest in use."""
MAX_USER_BYTES: Final = 256

RSA_SHA256_FLAG: Final = 2
RSA_SHA512_FLAG: Final = 4
"""draft-ietf-sshm-ssh-agent section 3.6.1."""

_USERAUTH_REQUEST: Final = 50
_SERVICE: Final = b"ssh-connection"
_METHOD: Final = b"publickey"
_HOSTBOUND: Final = b"publickey-hostbound-v00@openssh.com"
_RSA: Final = "ssh-rsa"
_RSA_ALGORITHMS: Final = {RSA_SHA256_FLAG: RSA_SHA256, RSA_SHA512_FLAG: RSA_SHA512}
"""RFC 8332. Without a flag an agent would sign with SHA-1."""
_NO_AUTHENTICATION: Final = "that is no user authentication of ssh with this key"


def public_key(credential: Credential) -> bytes:
    """Return the public key of an SSH credential, in its form on the wire."""
    return ssh_public_key(credential.fields["private_key"].reveal())


def sign_ssh(credential: Credential, data: bytes, flags: int) -> bytes:
    """Return the signature of a user authentication: algorithm and signature, as an agent answers.

    Args:
        credential: Signs it.
        data: What is to be signed.
        flags: Of the agent's request.

    Raises:
        LeaseRefusedError: it is no SSH credential.
        BadRequestError: the data are no user authentication with this key, or the flags do not fit it.
    """
    if credential.kind is not CredentialKind.SSH:
        raise LeaseRefusedError(f"credential `{credential.ref}` is no ssh key", LeaseRefusal.KIND)
    public = public_key(credential)
    algorithm = _algorithm(public, flags)
    _check(data, algorithm, public)
    signature = ssh_signature(credential.fields["private_key"].reveal(), algorithm, data)
    return ssh_string(algorithm.encode()) + ssh_string(signature)


def _algorithm(public: bytes, flags: int) -> str:
    name = _Reader(public).string().decode("ascii")
    if name != _RSA and flags == 0:
        return name
    if name == _RSA and flags in _RSA_ALGORITHMS:
        return _RSA_ALGORITHMS[flags]
    raise BadRequestError("the flags of the signature do not fit the key; rsa keys sign with sha-2 only")


def _check(data: bytes, algorithm: str, public: bytes) -> None:
    if len(data) > MAX_DATA_BYTES:
        raise BadRequestError(_NO_AUTHENTICATION)
    reader = _Reader(data)
    session_id, kind, user = reader.string(), reader.byte(), reader.string()
    service, method, signed = reader.string(), reader.string(), reader.byte()
    named, key = reader.string(), reader.string()
    if method == _HOSTBOUND:
        reader.string()
    fits = 0 < len(session_id) <= MAX_SESSION_ID_BYTES and len(user) <= MAX_USER_BYTES and reader.at_end
    is_request = kind == _USERAUTH_REQUEST and service == _SERVICE and method in {_METHOD, _HOSTBOUND} and signed == 1
    if not (fits and is_request and named == algorithm.encode() and key == public):
        raise BadRequestError(_NO_AUTHENTICATION)


class _Reader:
    """Takes fields of SSH's binary form off the front of bytes (RFC 4251 section 5)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)

    def byte(self) -> int:
        return self._take(1)[0]

    def string(self) -> bytes:
        return self._take(int.from_bytes(self._take(4), "big"))

    def _take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        if len(piece) != size:
            raise BadRequestError(_NO_AUTHENTICATION)
        self._at += size
        return piece
