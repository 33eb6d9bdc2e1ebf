from __future__ import annotations

import base64

import pytest

from connectors.base import JsonObject
from connectors.errors import InvalidParamsError
from connectors.git.connector import GitConnector
from connectors.git.operations import What, push_params, read_params
from connectors.git.wire.push_request import MAX_OPTIONS, MAX_UPDATES
from tests.parts.git_wire import NEW, OLD, ZERO
from tests.unit.connectors.git.test_bundle import OID
from tests.unit.connectors.git.test_plans import FORGE, ONE, bundle

CONNECTOR = GitConnector()
MAIN = "refs/heads/main"
PACK = {"upload": {"bytes": 7, "sha256": "c" * 64}}


def update(ref: str = MAIN, old: str = OLD, new: str = NEW) -> JsonObject:
    return {"ref": ref, "old": old, "new": new}


def push(*updates: JsonObject, **more: object) -> JsonObject:
    return {"repo": "acme/app", "updates": list(updates), "pack": PACK, **more}


def test_every_example_plans() -> None:
    for action, operation in CONNECTOR.operations.items():
        assert CONNECTOR.plan(action, operation.example, FORGE).requirements
        assert operation.params_schema["additionalProperties"] is False


READS = {
    "no repository": {},
    "an unknown what": {"repo": "acme/app", "what": "all"},
    "refs that are no list": {"repo": "acme/app", "refs": MAIN},
    "an option for a ref": {"repo": "acme/app", "refs": ["--upload-pack=x"]},
    "too many refs": {"repo": "acme/app", "refs": [MAIN] * 101},
    "a repository that is a number": {"repo": 1},
    "a repository that is a command": {"repo": "ext::sh -c touch% /tmp/x"},
    "an address": {"repo": "acme/app", "url": "https://evil.test"},
    "refs nobody reads": {"repo": "acme/app", "what": "advertisement", "refs": [MAIN]},
    "refs beside a fetch": {"repo": "acme/app", "what": "fetch", "request": "MDAwMA==", "refs": [MAIN]},
    "refs of a list to push to": {"repo": "acme/app", "what": "push-refs", "refs": [MAIN]},
    "a protocol nobody speaks": {"repo": "acme/app", "protocol": "version=2"},
    "a protocol of the future": {"repo": "acme/app", "what": "fetch", "protocol": "version=3"},
    "a request nobody sends": {"repo": "acme/app", "what": "advertisement", "request": "MDAwMA=="},
    "no request": {"repo": "acme/app", "what": "fetch"},
    "a request that is not base64": {"repo": "acme/app", "what": "fetch", "request": "MDAwMA"},
    "a request of another kind": {
        "repo": "acme/app",
        "what": "fetch",
        "request": base64.b64encode(b"000bcommand0000").decode(),
        "protocol": "version=2",
    },
}
PUSHES = {
    "nothing": {"repo": "acme/app"},
    "a bundle that is not base64": {"repo": "acme/app", "bundle": "not base64!"},
    "a bundle that is cut": {"repo": "acme/app", "bundle": ONE[:-1]},
    "a bundle that is none": {"repo": "acme/app", "bundle": "aGVsbG8="},
    "force": {"repo": "acme/app", "bundle": ONE, "force": True},
    "another repository": {"repo": "../app", "bundle": ONE},
    "upper case": {"repo": "Acme/app", "bundle": ONE},
    "a ref the bundle does not have": {"repo": "acme/app", "bundle": ONE, "expected": {"refs/heads/other": OID}},
    "an expectation that is a name": {"repo": "acme/app", "bundle": ONE, "expected": {"refs/heads/feature/x": "main"}},
    "an expectation that is none": {"repo": "acme/app", "bundle": ONE, "expected": {"refs/heads/feature/x": None}},
    "a key of control characters": {"repo": "acme/app", "bundle": ONE, "\x1b[2J\u0430": 1},
    "a bundle with an option": {"repo": "acme/app", "bundle": bundle(f"{OID} --upload-pack=x")},
    "a bundle and updates": push(update(), bundle=ONE),
    "a bundle and a pack": {"repo": "acme/app", "bundle": ONE, "pack": PACK},
    "updates and expectations": push(update(), expected={MAIN: OLD}),
    "too many updates": push(*(update(f"refs/heads/b{n}") for n in range(MAX_UPDATES + 1))),
    "a ref outside branches and tags": push(update("refs/pull/1/head")),
    "HEAD": push(update("HEAD")),
    "a ref that climbs": push(update("refs/heads/feature/../main")),
    "a look-alike": push(update("refs/heads/m\u0430in")),
    "one ref twice": push(update(), update(new="d" * 40)),
    "one ref in two cases": push(update(), update("refs/heads/Main")),
    "a ref below another": push(update(), update("refs/heads/main/x")),
    "a move to where it is": push(update(new=OLD)),
    "a move from nothing to nothing": push(update(old=ZERO, new=ZERO)),
    "an id that is cut": push(update(new=NEW[:39])),
    "an id in upper case": push(update(new=NEW.upper())),
    "an id with a line feed": push(update(new=f"{NEW}\n")),
    "an update with more": push({**update(), "force": True}),
    "too many options": push(update(), options=["x"] * (MAX_OPTIONS + 1)),
    "a long option": push(update(), options=["x" * 1025]),
    "an empty option": push(update(), options=[""]),
    "an option of two lines": push(update(), options=["a\nb"]),
    "an option with a line feed at its end": push(update(), options=["a\n"]),
    "an option outside ASCII": push(update(), options=["\u00e9"]),
    "a pack in the params": {**push(update()), "pack": "UEFDSw=="},
    "a pack of another digest": {**push(update()), "pack": {"upload": {"sha256": "c" * 63}}},
    "a pack of a negative size": {**push(update()), "pack": {"upload": {"bytes": -2}}},
    "a pack with more": {**push(update()), "pack": {"upload": {}, "path": "/etc/passwd"}},
    "evidence": push(update(), evidence={"found": {}}),
    "facts": push(update(), paths=[], leaks=[]),
}


@pytest.mark.parametrize("params", READS.values(), ids=READS)
def test_a_read_that_does_not_fit_is_refused_in_plain_words(params: JsonObject) -> None:
    refused("git:read", params)


@pytest.mark.req("A3")
@pytest.mark.parametrize("params", PUSHES.values(), ids=PUSHES)
def test_a_push_that_does_not_fit_is_refused_in_plain_words(params: JsonObject) -> None:
    refused("git:push", params)


def refused(action: str, params: JsonObject) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        CONNECTOR.plan(action, params, FORGE)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert "``" not in str(caught.value)


def test_what_a_git_client_sends_is_taken() -> None:
    updates = [update(f"refs/heads/b{n}") for n in range(MAX_UPDATES)]
    asked = push_params({"repo": "acme/app", "updates": updates, "pack": {"upload": {}}, "options": ["k=v w~"]})
    assert [each.ref for each in asked.ref_updates()] == [each["ref"] for each in updates]
    assert asked.pack is not None
    assert (asked.pack.upload.bytes, asked.pack.upload.sha256) == (-1, "")
    fetch = read_params({"repo": "acme/app", "what": "fetch", "request": "MDAwMA=="})
    assert (fetch.what, fetch.request_bytes()) == (What.FETCH, b"0000")
    assert read_params({"repo": "acme/app"}).request_bytes() == b""
