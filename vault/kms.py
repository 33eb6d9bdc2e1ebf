"""The root key under AWS KMS: wrapped when the vault is made, unwrapped at each unseal.

The vault draws the root key itself and has it wrapped by Encrypt: the grant for that lets nobody read anything, while
that of GenerateDataKey gives a key away. Unsealing needs Decrypt. Both carry an encryption context that names the
vault, so what one vault stored opens no other one, and CloudTrail says which vault was opened.

Which KMS key it is, and where, is for whoever starts the vault to say. The header names the key too, but somebody who
can write the storage can write that: it is compared and not followed.

This is the one place where the vault takes something from the machine's AWS configuration: the credentials for these
two calls, by botocore's default chain (environment, web identity, files, container, instance). Region, endpoint,
proxies and API models are not taken from there.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from vault.aws import host_of
from vault.crypto import KEY_BYTES, random_bytes
from vault.errors import BadRequestError, KmsRefusedError, KmsUnavailableError, RootKeyError
from vault.root import KMS_KEY_ARN, Header, RootSource, WrappedKey

CONNECT_SECONDS: Final = 2
READ_SECONDS: Final = 4
ATTEMPTS: Final = 2
"""Both calls change nothing, so one that got no answer may be sent again."""

_CODE: Final = re.compile(r"[A-Za-z0-9.]{1,64}", re.ASCII)
_CHANGED: Final = frozenset({"IncorrectKeyException", "InvalidCiphertextException"})
"""KMS API reference, Decrypt: the ciphertext, its context or its key is not the one it was encrypted with."""
_TRY_AGAIN: Final = frozenset(
    {
        "DependencyTimeoutException",
        "KeyUnavailableException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
    }
)
_SERVER_FAULT: Final = 500


@dataclass(frozen=True, slots=True)
class KmsKey:
    """A symmetric KMS key, and where it is asked for.

    Args:
        arn: ARN of the key itself; an alias could be led to another key.
        endpoint: Origin of a VPC endpoint; empty for the public one of the key's region.

    Raises:
        BadRequestError: it is no ARN of a key, or the endpoint would answer in the clear.
    """

    arn: str
    endpoint: str = ""

    def __post_init__(self) -> None:
        """Check both."""
        if not KMS_KEY_ARN.fullmatch(self.arn):
            raise BadRequestError("a kms key is named by its ARN, `arn:aws:kms:REGION:ACCOUNT:key/ID`")
        if self.endpoint:
            host_of(self.endpoint)

    @property
    def region(self) -> str:
        """The key's region."""
        return self.arn.split(":")[3]


class KeyService(Protocol):
    """What wraps and unwraps under a KMS key; both calls block.

    Every method raises KmsRefusedError when the service says no, KmsUnavailableError when it gives no usable answer.
    """

    def encrypt(self, key: KmsKey, plain: bytes, context: Mapping[str, str]) -> bytes:
        """Return ``plain`` wrapped and bound to ``context``."""

    def decrypt(self, key: KmsKey, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Return what was wrapped under this key and context.

        Raises:
            RootKeyError: it was wrapped under another key or context, or was changed.
        """


class AwsKeyService:
    """KMS by botocore; sessions are not kept, so neither are its credentials."""

    def encrypt(self, key: KmsKey, plain: bytes, context: Mapping[str, str]) -> bytes:
        """Return ``plain`` wrapped and bound to ``context``."""
        return _asked("Encrypt", "CiphertextBlob", key, Plaintext=plain, EncryptionContext=context)

    def decrypt(self, key: KmsKey, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Return what was wrapped under this key and context."""
        return _asked("Decrypt", "Plaintext", key, CiphertextBlob=wrapped, EncryptionContext=context)


@dataclass(frozen=True, slots=True)
class KmsRoot:
    """Makes and finds root keys that a KMS key wraps; both block for as long as KMS takes.

    Args:
        key: The key.
        service: Asks KMS.
    """

    key: KmsKey
    service: KeyService

    def make(self, header: Header) -> tuple[bytes, Header]:
        """Return a new root key, and the header that finds it again.

        Args:
            header: New, of source `RootSource.KMS`.

        Raises:
            KmsRefusedError: KMS does not encrypt, or would not decrypt it again.
            KmsUnavailableError: KMS cannot be asked.
            RootKeyError: what it encrypts it does not give back.
        """
        root = random_bytes(KEY_BYTES)
        ciphertext = self.service.encrypt(self.key, root, _context(header))
        made = replace(header, wrapped=WrappedKey(self.key.arn, ciphertext))
        # Else a missing right to decrypt would be found out at the next start, with credentials in the vault.
        if not hmac.compare_digest(self.unwrap(made), root):
            raise RootKeyError("kms does not give back what it wrapped")
        return root, made

    def unwrap(self, header: Header) -> bytes:
        """Return the root key of a header.

        Raises:
            RootKeyError: as `check`; or the header was changed. Whether it is the vault's own shows at the keyring.
            KmsRefusedError: KMS says no.
            KmsUnavailableError: KMS cannot be asked.
        """
        return self.service.decrypt(self.key, self.check(header).ciphertext, _context(header))

    def check(self, header: Header) -> WrappedKey:
        """Return the wrapped root key of a header.

        Raises:
            RootKeyError: the root key is not in KMS, or under another key.
        """
        if header.wrapped is None:
            raise RootKeyError(f"the vault was initialised with a {_NAMES[header.source]}, not with a kms key")
        if header.wrapped.key_arn != self.key.arn:
            raise RootKeyError("the vault was initialised with another kms key than it was started with")
        return header.wrapped


_NAMES: Final = {
    RootSource.KEY_FILE: "key file",
    RootSource.PASSPHRASE: "passphrase",
    RootSource.KMS: "kms key",
}


def _context(header: Header) -> dict[str, str]:
    # The salt is random and in the header: the vault's name, so to speak. KMS logs it in the clear.
    return {"ostiary": "vault-root", "vault": header.salt.hex()}


def _asked(operation: str, member: str, key: KmsKey, **wanted: object) -> bytes:
    from botocore.exceptions import ClientError

    try:
        answer = _call(operation, key, wanted)
        # Named in the request and told again in the answer: any other would be an answer to something else.
        value = answer[member] if answer["KeyId"] == key.arn else None
    except ClientError as error:
        # Not chained and not quoted: the upstream's words are not ours to pass on.
        raise _refusal(operation, error.response) from None
    except Exception as error:  # noqa: BLE001 - the default chain runs providers that raise what they like
        # Not chained: the parser's errors quote the whole answer, which may hold the root key.
        raise KmsUnavailableError(f"kms cannot be asked to {operation.lower()} ({type(error).__name__})") from None
    if not isinstance(value, bytes):
        raise KmsUnavailableError(f"kms answered `{operation}` in an unknown form")
    return value


def _call(operation: str, key: KmsKey, wanted: Mapping[str, object]) -> Mapping[str, object]:
    # One symmetric algorithm is asked for and no other, whatever the key is.
    method = {"Encrypt": "encrypt", "Decrypt": "decrypt"}[operation]
    algorithm = {"EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    answer: Mapping[str, object] = getattr(_client(key), method)(KeyId=key.arn, **wanted, **algorithm)
    return answer


def _client(key: KmsKey) -> Any:  # noqa: ANN401 - botocore makes its clients at run time
    from botocore.config import Config
    from botocore.loaders import Loader
    from botocore.session import Session

    session = Session()
    # The default search paths begin with a folder of the user's own, whose models would come first.
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", loader)
    return session.create_client(
        "kms",
        region_name=key.region,
        endpoint_url=key.endpoint or None,
        verify=True,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            ignore_configured_endpoint_urls=True,
            use_fips_endpoint=False,
            use_dualstack_endpoint=False,
            # Not None, which would mean those of the environment.
            proxies={},
        ),
    )


def _refusal(operation: str, answer: Any) -> KmsRefusedError | KmsUnavailableError | RootKeyError:  # noqa: ANN401 - a parsed answer
    found = str(answer.get("Error", {}).get("Code", ""))
    code = found if _CODE.fullmatch(found) else "unknown"
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_FAULT)
    if status >= _SERVER_FAULT or code in _TRY_AGAIN:
        return KmsUnavailableError(f"kms failed to {operation.lower()}: {code}")
    if code in _CHANGED:
        return RootKeyError(f"kms does not open the root key, as it or its header was changed: {code}")
    return KmsRefusedError(f"kms refused to {operation.lower()}: {code}")
