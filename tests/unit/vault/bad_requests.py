"""Requests that parse as frames and ask nothing the vault does."""

from __future__ import annotations

from dataclasses import asdict

from tests.unit.vault.paper_issuer import WANTED
from vault.fields import pack

MINT = asdict(WANTED)
BAD_REQUESTS: list[tuple[dict[str, object], bytes]] = [
    ({}, b""),
    ({"op": 1}, b""),
    ({"op": ["status"]}, b""),
    ({"op": "reveal"}, b""),
    ({"op": "__class__"}, b""),
    ({"op": "put"}, b""),
    ({"op": "put", "hosts": "x.com"}, b""),
    ({"op": "put", "hosts": [1]}, b""),
    ({"op": "put", "hosts": ["x.com"], "kind": "pgp"}, b""),
    ({"op": "put", "hosts": ["x.com"], "kind": "aws", "ref": "a" * 2000}, b""),
    ({"op": "put", "hosts": ["x.com"], "kind": "aws", "ref": "a/b"}, b"\xff\xff\xff"),
    ({"op": "rotate", "ref": None}, b""),
    ({"op": "list", "start": -1}, b""),
    ({"op": "list", "start": True}, b""),
    ({"op": "lease", "ref": "a/b", "host": 1}, b""),
    ({"op": "scan", "fresh": "1"}, b""),
    ({"op": "sign", "ref": "a/b", "v": 1.5, "req": {}}, b""),
    ({"op": "sign", "ref": "a/b", "v": 1, "req": []}, b""),
    ({"op": "sign", "ref": "a/b", "v": 1, "req": {"method": "GET"}}, b""),
    ({"op": "sign", "ref": "a/b", "v": 1, "req": {}}, b""),
    ({"op": "sign-note", "size": 1, "origin": "x"}, b"short"),
    ({"op": "keep"}, b""),
    ({"op": "keep", "name": "a/b"}, pack({"/a": b"x"})),
    ({"op": "keep", "name": "int_1"}, b"\xff\xff"),
    ({"op": "keep", "name": "int_1"}, b""),
    ({"op": "derive", "label": "x"}, b""),
    ({"op": "derive", "label": "x", "subject": ["y"]}, b""),
    ({"op": "derive", "label": "x", "subject": "y" * 2000}, b""),
    ({"op": "enclose"}, b""),
    ({"op": "enclose", "name": "int_1", "part": "prompt"}, b""),
    ({"op": "enclose", "name": "", "part": "prompt", "index": 0}, b""),
    ({"op": "enclose", "name": "int_1", "part": "", "index": 0}, b""),
    ({"op": "enclose", "name": "int_1", "part": "prompt", "index": True}, b""),
    ({"op": "enclose", "name": "int_1", "part": "prompt", "index": 2**40}, b""),
    ({"op": "enclose", "name": "int_1", "part": "prompt", "index": 0}, bytes((256 << 10) + 1)),
    ({"op": "disclose", "name": 1, "part": "prompt", "index": 0}, b""),
    ({"op": "disclose", "name": "int_1", "part": ["x"], "index": 0}, b""),
    ({"op": "disclose", "name": "int_1", "part": "prompt", "index": "0"}, b""),
    ({"op": "lease", "ref": "a/b", "host": "h", "mint": None, "holder": ""}, b""),
    ({"op": "lease", "ref": "a/b", "host": "h", "mint": {}, "holder": ""}, b""),
    ({"op": "lease", "ref": "a/b", "host": "h", "mint": {**MINT, "more": "x"}, "holder": ""}, b""),
    ({"op": "lease", "ref": "a/b", "host": "h", "mint": {**MINT, "duration_seconds": "900"}, "holder": ""}, b""),
    ({"op": "lease", "ref": "a/b", "host": "h", "mint": {**MINT, "policy": 1}, "holder": ""}, b""),
    ({"op": "lease", "ref": "a/b", "host": "h", "mint": MINT}, b""),
    ({"op": "sign", "ref": "a/b", "minted": 1, "req": {}}, b""),
]
_TOKEN: dict[str, object] = {
    "owner": "acme", "repositories": ["a"], "permissions": [["contents", "read"]], "endpoint": "https://h",
    "scheme": "bearer", "everywhere": False,
}  # fmt: skip
_TOKENS: list[dict[str, object]] = [
    {"owner": 1},
    {"repositories": "a"},
    {"repositories": [1]},
    {"permissions": {"contents": "read"}},
    {"permissions": [["contents"]]},
    {"permissions": [["contents", 1]]},
    {"permissions": ["ab"]},
    {"scheme": "token"},
    {"scheme": 1},
    {"everywhere": 1},
    {"more": 1},
]
BAD_REQUESTS += [
    ({"op": "lease", "ref": "a/b", "host": "h", "mint": {**_TOKEN, **change}, "holder": ""}, b"") for change in _TOKENS
]
BAD_REQUESTS += [
    ({"op": "revoke"}, b""),
    ({"op": "revoke", "session": ""}, b""),
    ({"op": "revoke", "session": ["x"]}, b""),
    ({"op": "sign-ssh", "ref": "a/b", "host": "h", "v": 1}, b""),
    ({"op": "sign-ssh", "ref": "a/b", "host": 1, "v": 1, "flags": 0}, b""),
]
_SIGN_TEXTS = dict.fromkeys(("method", "path", "query", "payload_sha256", "region", "service"), "x")
_HEADERS: list[object] = [[], {"h": 1}]
BAD_REQUESTS += [
    ({"op": "sign", "ref": "a/b", "v": 1, "req": {**_SIGN_TEXTS, "headers": headers}}, b"") for headers in _HEADERS
]
