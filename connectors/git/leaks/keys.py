"""Rules about keys and credentials that no provider owns, and about values that are called a secret."""

from __future__ import annotations

from typing import Final

from connectors.git.leaks.checks import is_basic_credential, is_jwt, is_password, is_random
from connectors.git.leaks.model import Rule
from connectors.git.leaks.shapes import ASSIGNED, BASE64

_PEM_KINDS: Final = "(?:RSA |EC |DSA |OPENSSH |ENCRYPTED |PGP |ANY )?+"
_PEM_GOES_ON: Final = "|".join(
    (
        r"[ \t\r]{0,8}+(?=\n|\Z)",
        rf"""\\{{1,2}}+[nr]["']?+[ \t,+.\\]{{0,8}}+(?=\n|\Z|[{BASE64}]{{16}})""",
        rf"[ ][{BASE64}]{{32}}",
    )
)
"""The header ends its line, or line breaks are written out, or became blanks; where code looks for one it goes on."""
_QUOTED: Final = (
    r"""\\?+["'`]?+\]?+[ \t]{0,8}+(?:=>|:=|==|=|:|,)[ \t]{0,8}+"""
    r"""[brf]?+\\?+["'`](?P<secret>[^\s"'`\\]{%s,200}+)\\?+["'`]"""
)
_BARE: Final = r"""[ \t]{0,8}+[=:][ \t]{0,8}+(?P<secret>[\w.~!@$%%^&*+/=-]{%s,200}+)[ \t\r]{0,8}+(?=\n|\Z)"""
_PASSWORDS: Final = ("password", "passwd", "passphrase", "passwort", "pwd")
_SECRETS: Final = (
    "secret", "token", "apikey", "api_key", "api-key", "access_key", "accesskey", "auth_key", "authkey", "private_key",
    "encryption_key", "signing_key", "master_key", "credential",
)  # fmt: skip
_PASSWORD_BITS: Final = 2.75
"""Eight characters of which two are the same: what a person chose, with a digit or a sign in it."""
_SECRET_BITS: Final = 3.5
"""Sixteen characters drawn from 62 have 3.5 or more in 99 of 100 draws."""

KEYS: Final[tuple[Rule, ...]] = (
    Rule(
        "private-key",
        ("-----BEGIN ",),
        rf"{_PEM_KINDS}PRIVATE KEY(?: BLOCK)?-----(?:{_PEM_GOES_ON})",
        min_entropy_bits=0.0,
    ),
    Rule("putty-private-key", ("PuTTY-User-Key-File-",), r"[123]: (?:ssh|ecdsa)-[\w-]{2,40}+", min_entropy_bits=0.0),
    Rule("age-secret-key", ("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-PQ-1"), "[AC-HJ-NP-Z02-9]{58}"),
    Rule("wireguard-private-key", ("PrivateKey = ", "PrivateKey="), f"[{BASE64}]{{42}}[AEIMQUYcgkosw048]="),
    Rule("json-web-token", ("eyJ",), r"[\w-]{12,600}+\.eyJ[\w-]{12,8000}+\.[\w-]{16,2000}+", alone=True, check=is_jwt),
    Rule("json-web-key", ('"d":"', '"d": "'), r'[\w-]{42,700}+(?=")'),
    Rule(
        "ansible-vault-password",
        ("ansible_ssh_pass", "ansible_become_pass"),
        rf"(?:word)?{ASSIGNED}(?P<secret>[^\s\"'{{}}]{{4,100}}+)",
        check=is_password,
    ),
    Rule(
        "url-password",
        ("://",),
        r"[^\s:/@\"'<>`]{0,64}+:(?P<secret>[^\s:/@\"'<>`]{3,200}+)@[\w\[]",
        min_entropy_bits=2.0,
        check=is_password,
    ),
    Rule(
        "connection-string-password",
        (";password=", "; password=", ";pwd=", "; pwd="),
        r"(?P<secret>[^;\s\"']{4,128}+)",
        folded=True,
        min_entropy_bits=2.0,
        check=is_password,
    ),
    Rule(
        "netrc-password",
        ("machine ",),
        r"[\w.-]{1,200}+[ \t]{1,8}+login[ \t]{1,8}+[^\s]{1,100}+[ \t]{1,8}+"
        r"password[ \t]{1,8}+(?P<secret>[^\s]{4,200}+)",
        check=is_password,
    ),
    Rule(
        "bearer-token",
        ("bearer ",),
        f"(?P<secret>[{BASE64}_.~-]{{20,1000}}+)={{0,2}}+",
        folded=True,
        generic=True,
        min_entropy_bits=_SECRET_BITS,
        check=is_random,
    ),
    Rule(
        "basic-credentials",
        ("authorization",),
        rf"{ASSIGNED}[Bb]asic (?P<secret>[{BASE64}]{{12,400}}+={{0,2}}+)",
        folded=True,
        check=is_basic_credential,
    ),
    Rule(
        "generic-password",
        _PASSWORDS,
        r"[\w-]{0,20}+" + _QUOTED % 8,
        folded=True,
        generic=True,
        min_entropy_bits=_PASSWORD_BITS,
        check=is_password,
    ),
    Rule(
        "generic-secret",
        _SECRETS,
        r"[\w-]{0,20}+" + _QUOTED % 16,
        folded=True,
        generic=True,
        min_entropy_bits=_SECRET_BITS,
        check=is_random,
    ),
    Rule(
        "generic-password-setting",
        _PASSWORDS,
        r"[\w-]{0,20}+" + _BARE % 10,
        folded=True,
        opens_line=True,
        generic=True,
        min_entropy_bits=_PASSWORD_BITS,
        check=is_random,
    ),
    Rule(
        "generic-secret-setting",
        _SECRETS,
        r"[\w-]{0,20}+" + _BARE % 20,
        folded=True,
        opens_line=True,
        generic=True,
        min_entropy_bits=_SECRET_BITS,
        check=is_random,
    ),
)
