"""The vault's client: what the rest of Ostiary knows of the vault.

A client belongs to one event loop. It holds no secret but the headers of open leases, and decides nothing: the vault
does, on each request.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from vault.connection import ANSWER_SECONDS, Connection
from vault.errors import BadRequestError
from vault.fields import pack
from vault.hosts import host_is_bound
from vault.lease import Known, LeaseOpening, LentParts, Minting, MintTerms, VaultLease, needs_asking
from vault.model import (
    CredentialInfo,
    CredentialKind,
    CredentialRef,
    Mint,
    MintRequest,
    Revoked,
    SecretValue,
    VaultState,
)
from vault.protocol import Frame, JsonObject, decode_info
from vault.rotation.client import RotationClient
from vault.scan import Found, Mask
from vault.status import VaultStatus

SCAN_BYTES: Final = 256 << 10
"""Scanned at a time: half a millisecond of the vault's time, so that signatures do not wait behind a large body."""

CredentialInfos = list[CredentialInfo]


class VaultClient:
    """Asks the vault's process.

    Args:
        socket: Its socket.
        answer_seconds: Longest wait for one answer.
    """

    def __init__(self, socket: Path, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._connection = Connection(socket, answer_seconds=answer_seconds)
        self._known = Known()

    @property
    def rotations(self) -> RotationClient:
        """Rotations of access keys."""
        return RotationClient(self._ask)

    async def close(self) -> None:
        """End the connection; later calls raise VaultUnavailableError."""
        await self._connection.close()

    async def status(self) -> VaultStatus:
        """Return what anybody may know of the vault.

        Raises:
            VaultUnavailableError: it cannot be reached.
        """
        answer, _ = await self._ask({"op": "status"})
        return VaultStatus(
            VaultState(answer["state"]),
            answer["credentials"],
            answer["keyring_version"],
            answer["generation"],
            answer["reason"],
        )

    async def initialise(self, passphrase: SecretValue | None) -> None:
        """Make the keys of an empty vault, under a passphrase or, with None, its key file or KMS key.

        Raises:
            VaultError: as `vault.service.Vault.initialise` and ``initialise_by_kms``.
        """
        await self._with_passphrase("initialise", passphrase)

    async def unseal(self, passphrase: SecretValue | None) -> None:
        """Open the vault, with a passphrase or, with None, its key file or KMS key.

        Raises:
            VaultError: as `vault.service.Vault.unseal` and ``unseal_by_kms``.
        """
        await self._with_passphrase("unseal", passphrase)

    async def seal(self) -> None:
        """Make the vault forget all keys and values.

        Raises:
            VaultUnavailableError: it cannot be reached.
        """
        await self._ask({"op": "seal"})

    async def put(
        self,
        ref: CredentialRef,
        kind: CredentialKind,
        fields: Mapping[str, SecretValue | str],
        hosts: list[str] | tuple[str, ...],
    ) -> CredentialInfo:
        """Keep a new credential.

        Args:
            ref: Its name, not taken yet.
            kind: Its kind.
            fields: Its values by name; see `vault.credential`.
            hosts: Upstream hosts it may be used with, at least one.

        Raises:
            VaultError: as `vault.service.Vault.put`.
        """
        ask = {"op": "put", "ref": ref, "kind": kind.value, "hosts": list(hosts)}
        answer, _ = await self._ask(ask, _packed(fields))
        return decode_info(answer["info"])

    async def rotate(self, ref: CredentialRef, fields: Mapping[str, SecretValue | str]) -> CredentialInfo:
        """Give a credential its next value; everything that uses it does so at once.

        Raises:
            VaultError: as `vault.service.Vault.rotate`.
        """
        answer, _ = await self._ask({"op": "rotate", "ref": ref}, _packed(fields))
        self._known.forget(ref)
        return decode_info(answer["info"])

    async def destroy(self, ref: CredentialRef) -> None:
        """Delete every version of a credential.

        Raises:
            VaultError: as `vault.service.Vault.destroy`.
        """
        await self._ask({"op": "destroy", "ref": ref})
        self._known.forget(ref)

    async def rotate_keyring(self) -> int:
        """Seal every record under a new term key; return the keyring's version.

        Raises:
            VaultError: as `vault.service.Vault.rotate_keyring`.
        """
        answer, _ = await self._ask({"op": "rotate-keyring"})
        return int(answer["keyring_version"])

    async def list(self) -> CredentialInfos:
        """Return what may be shown of every credential, by name.

        Raises:
            VaultError: the vault is sealed or gone.
        """
        infos: CredentialInfos = []
        while True:
            answer, _ = await self._ask({"op": "list", "start": len(infos)})
            if not answer["infos"]:
                return infos
            infos += [decode_info(info) for info in answer["infos"]]

    def lease(
        self,
        credential: CredentialRef,
        *,
        host: str,
        purpose: str,
        mint: Mint | None = None,
        holder: str = "",
    ) -> AbstractAsyncContextManager[VaultLease]:
        """Return a context manager that opens a lease; nothing is asked before it is entered.

        Args:
            credential: Name of the credential.
            host: Upstream ``host`` or ``host:port`` it will be used with.
            purpose: What for, as an id; the vault logs it with a refusal.
            mint: What to mint from the credential and lend in its stead; None to lend the credential itself.
            holder: ``agent/session``, for the name a minted credential bears upstream.

        Raises:
            VaultError: on entry: the credential is missing or not bound to the host, the issuer of a minted one says no
                or nothing, or the vault is sealed or gone.
        """
        if mint is None:
            return LeaseOpening(lambda: self._open_lease(credential, host, purpose))
        terms = MintTerms(credential, mint, holder)
        return LeaseOpening(lambda: self._open_minted(terms, host, purpose))

    async def revoke(self, session: str) -> Revoked:
        """Take back what was minted for a session that was killed, and have nothing more minted for it.

        Args:
            session: Its id, as in the ``holder`` of its leases.

        Raises:
            VaultError: the vault is gone, or does not say what became of them; it may have taken them back.
        """
        answer, _ = await self._ask({"op": "revoke", "session": session})
        return Revoked(answer["revoked"], answer["failed"])

    async def derive(self, label: str, subject: str) -> SecretValue:
        """Return 32 secret bytes that are always the same for the same two texts.

        Args:
            label: What they are for; another one gives others.
            subject: Whom they are for.

        Raises:
            BadRequestError: a text is empty or too long.
            VaultError: the vault is sealed or gone.
        """
        _, derived = await self._ask({"op": "derive", "label": label, "subject": subject})
        return SecretValue(derived)

    async def keep(self, name: str, values: Mapping[str, str]) -> CredentialRef:
        """Seal secrets of one result as ``sealed/<name>``; they are looked for in every result from now on.

        Args:
            name: Id of the intent; what was kept under it before is replaced.
            values: 1 to 64 secrets by JSON pointer into the result, 64 KiB in all.

        Raises:
            BadRequestError: a name or value is malformed, or there are too many.
            VaultError: nothing was kept.
        """
        answer, _ = await self._ask({"op": "keep", "name": name}, _packed(values))
        return decode_info(answer["info"]).ref

    async def enclose(self, name: str, part: str, index: int, plain: bytes) -> bytes:
        """Return a piece of what others keep, sealed; see `vault.contents.Contents.enclose`.

        Raises:
            VaultError: as there, or the vault is gone.
        """
        _, sealed = await self._ask({"op": "enclose", "name": name, "part": part, "index": index}, plain)
        return sealed

    async def disclose(self, name: str, part: str, index: int, sealed: bytes) -> bytes:
        """Return what `enclose` was given.

        Raises:
            VaultError: as `vault.contents.Contents.disclose`, or the vault is gone.
        """
        _, plain = await self._ask({"op": "disclose", "name": name, "part": part, "index": index}, sealed)
        return plain

    async def sign_note(self, size: int, root: bytes, origin: str) -> bytes:
        """Return the Ed25519 signature of a checkpoint; see `vault.checkpoint`.

        Raises:
            CheckpointRefusedError: it contradicts one that was signed before.
            VaultError: the vault is sealed or gone, or cannot remember it.
        """
        _, signature = await self._ask({"op": "sign-note", "size": size, "origin": origin}, root)
        return signature

    async def sign_checkpoint(self, origin: str, size: int, root: bytes) -> bytes:
        """Do as `sign_note`, in the order of a checkpoint's lines."""
        return await self.sign_note(size, root, origin)

    async def public_key(self) -> bytes:
        """Return the 32-byte Ed25519 public key of the ledger.

        Raises:
            VaultError: the vault is sealed or gone.
        """
        _, key = await self._ask({"op": "public-key"})
        return key

    def scanner(self) -> LeakScanner:
        """Return a scanner for one stream of bytes."""
        return LeakScanner(self)

    async def scrub(self, data: bytes) -> tuple[bytes, int]:
        """Return ``data`` with every secret written over by ``*``, and how many there were.

        Raises:
            VaultError: the vault is sealed or gone: nothing can be said, so nothing may be released.
        """
        scanner = self.scanner()
        if len(data) <= SCAN_BYTES:
            return await scanner.finish(data), scanner.hits
        return await scanner.feed(data) + await scanner.finish(), scanner.hits

    async def scan(self, data: bytes, fresh: int = 0) -> Found:
        """Return where ``data``, of at most `vault.protocol.MAX_RAW_BYTES`, holds secrets.

        Args:
            data: What to scan.
            fresh: Matches that end before this offset are not counted.

        Raises:
            VaultError: the vault is sealed or gone.
        """
        answer, _ = await self._ask({"op": "scan", "fresh": fresh}, data)
        return Found(tuple((start, stop) for start, stop in answer["spans"]), answer["hits"], answer["keep"])

    async def _open_lease(self, ref: CredentialRef, host: str, purpose: str) -> VaultLease:
        info = self._known.get(ref)
        if info is not None and not needs_asking(info, host):
            return VaultLease(self._ask, self._known, info, purpose=purpose)
        answer, raw = await self._ask({"op": "lease", "ref": ref, "host": host, "purpose": purpose})
        lent = _lent(answer, raw, host)
        self._known.put(ref, lent[0])
        return VaultLease(self._ask, self._known, lent[0], purpose=purpose, lent=lent[1])

    async def _open_minted(self, terms: MintTerms, host: str, purpose: str) -> VaultLease:
        async def ask() -> tuple[CredentialInfo, LentParts]:
            wanted = {"op": "lease", "ref": terms.ref, "host": host, "purpose": purpose}
            answer, raw = await self._ask({**wanted, "mint": asdict(terms.request), "holder": terms.holder})
            return _lent(answer, raw, host)

        async def again() -> CredentialInfo:
            info, _ = await ask()
            self._known.put(terms, info)
            return info

        if not isinstance(terms.request, MintRequest):
            # A token: it is lent itself, so it is asked for each time.
            info, parts = await ask()
            return VaultLease(self._ask, self._known, info, purpose=purpose, lent=parts)
        known = self._known.get(terms)
        info = known if known is not None and host_is_bound(host, known.hosts) else await again()
        return VaultLease(self._ask, self._known, info, purpose=purpose, minting=Minting(terms, again))

    async def _with_passphrase(self, operation: str, passphrase: SecretValue | None) -> None:
        raw = b"" if passphrase is None else passphrase.reveal()
        await self._ask({"op": operation, "passphrase": passphrase is not None}, raw)

    async def _ask(self, header: JsonObject, raw: bytes = b"") -> Frame:
        return await self._connection.request(header, raw)


class LeakScanner:
    """Masks secrets in one stream, across chunk borders, without changing its length.

    The last bytes are held back until more is seen where a form of a secret may have begun in them. When a call raises,
    what was held back stays back.

    Args:
        client: Asks the vault.
    """

    def __init__(self, client: VaultClient) -> None:
        self._client = client
        self._mask = Mask()

    @property
    def hits(self) -> int:
        """Secrets masked so far."""
        return self._mask.hits

    async def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes and return those that are settled; may be empty.

        Raises:
            VaultError: the scan could not run.
        """
        return b"".join([await self._step(chunk[at : at + SCAN_BYTES]) for at in range(0, len(chunk), SCAN_BYTES)])

    async def finish(self, chunk: bytes = b"") -> bytes:
        """Take the last bytes, at most `SCAN_BYTES`, and return all that was held back.

        Raises:
            VaultError: the scan could not run.
        """
        return await self._step(chunk, last=True)

    async def _step(self, chunk: bytes, *, last: bool = False) -> bytes:
        window, fresh = self._mask.window(chunk)
        return self._mask.release(window, await self._client.scan(window, fresh), last=last)


def _lent(answer: JsonObject, raw: bytes, host: str) -> tuple[CredentialInfo, LentParts]:
    header = SecretValue(raw) if answer["header"] else None
    return decode_info(answer["info"]), LentParts(header, raw if answer["public"] else b"", host)


def _packed(fields: Mapping[str, SecretValue | str]) -> bytes:
    try:
        plain = {
            name: value if isinstance(value, SecretValue) else SecretValue(value.encode())
            for name, value in fields.items()
        }
    except UnicodeEncodeError:
        # Not chained: the error holds the text it could not encode.
        raise BadRequestError("a field is no Unicode text") from None
    return pack({name: value.reveal() for name, value in plain.items()})
