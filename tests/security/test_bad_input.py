"""O2 end to end: what is sent to the running house with its real connectors, and what it never does with it.

The policy allows nearly everything, so that only planning and the doors stand between bad input and the upstreams.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from broker.ids import make_token
from tests.parts.hostile_house import Scene, hostile_house
from tests.parts.up import eventually
from tests.parts.wall import Reply

pytestmark = pytest.mark.req("O2")

MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
# Look-alikes stand here as escapes.
NASTY = [
    "", " ", "..", "../x", "a/../b", "/etc/passwd", "*", "a*", "%2e%2e%2f", "a\x00b", "a\nb", "a\r\nX: y", "\x1b[31m",
    "\u0430cme/app", "acme/\u0430pp", "acme/app\u200b", "acme/app\u202e", "ACME/APP", "acme/app.git", "acme//app",
    "/acme/app",
    "acme/app/", "acme/..", "../../etc", "-x/app", "acme/-x", "--upload-pack=touch x", "acme/--upload-pack=x",
    "ext::sh -c touch% x", "ext::sh/app", "file:///etc", "https://evil.test/acme/app", "acme@evil.test:x/y",
    "acme/app?x",
    "acme/app#x", "acme\\app", "acme/app;id", "$(id)/app", "`id`/app", "x" * 5000, "\ud800", "xn--bkt", "1.2.3.4",
    "arn:aws:s3:::bkt", "bkt.", "b", "BKT", "bkt--x-s3", "\uff42\uff4b\uff54",
]  # fmt: skip


def refused(reply: Reply, *statuses: int) -> None:
    """Assert that the answer is one of these."""
    assert reply.status in statuses, reply.body


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    with hostile_house() as house:
        yield house


@pytest.fixture
def scene(running: Scene) -> Iterator[Scene]:
    before = running.touched
    yield running
    assert running.touched == before, "an upstream heard of it"


def test_the_house_does_serve(running: Scene) -> None:
    assert running.ask("s3:GetObject", {"Bucket": "bkt", "Key": "a"}).status == 200
    assert running.ask("git:read", {"repo": "acme/app"}).status == 200


BODIES = {
    "nothing": b"", "no json": b"{", "text": b"hello", "list": b"[]", "string": b'"x"', "null": b"null",
    "number": b"1", "two objects": b'{"action":"s3:GetObject"}{}', "not utf-8": b'{"action":"\xff\xfe"}',
    "utf-16": '{"action":"s3:GetObject"}'.encode("utf-16"), "byte order mark": b'\xef\xbb\xbf{"action":"s3:GetObject"}',
    "duplicate key": b'{"action":"s3:GetObject","action":"s3:PutObject","params":{"Bucket":"bkt","Key":"a"}}',
    "duplicate param": b'{"action":"s3:GetObject","params":{"Bucket":"bkt","Key":"a","Key":"b"}}',
    "nan": b'{"action":"s3:GetObject","params":{"Bucket":"bkt","Key":NaN}}',
    "infinity": b'{"action":"s3:ListObjectsV2","params":{"Bucket":"bkt","MaxKeys":-Infinity}}',
    "huge integer": b'{"action":"s3:ListObjectsV2","params":{"Bucket":"bkt","MaxKeys":' + b"9" * 5000 + b"}}",
    "huge float": b'{"action":"s3:ListObjectsV2","params":{"Bucket":"bkt","MaxKeys":1e999}}',
    "float": b'{"action":"s3:ListObjectsV2","params":{"Bucket":"bkt","MaxKeys":1.5}}',
    "lone surrogate": b'{"action":"s3:GetObject","params":{"Bucket":"bkt","Key":"\\ud800"}}',
    "surrogate name": b'{"action":"s3:GetObject","params":{"\\udfff":"x"}}',
    "deep": b'{"action":"s3:GetObject","params":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
    "deep list": b'{"action":"s3:GetObject","params":{"Key":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "wide": b'{"action":"s3:GetObject","params":{"Key":[' + b"1," * 200_000 + b"1]}}",
    "unknown member": b'{"action":"s3:GetObject","params":{"Bucket":"bkt","Key":"a"},"agent":"admin"}',
    "params no object": b'{"action":"s3:GetObject","params":[["Bucket","bkt"]]}',
    "action no string": b'{"action":["s3:GetObject"],"params":{}}',
    "dry run no bool": b'{"action":"s3:GetObject","params":{"Bucket":"bkt","Key":"a"},"dry_run":"yes"}',
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_not_one_strict_json_object_of_the_kind_is_refused(scene: Scene, name: str) -> None:
    refused(scene.post(BODIES[name]), 400, 422)


@pytest.mark.parametrize("action", ["", "s3", "s3:", ":GetObject", "s3:getobject", "S3:GetObject", "s3:GetObject ",
    "s3:Get\u041ebject", "aws:s3:GetObject:x", "s3:*", "*", "git:fetch", "s3:CreateBucket", "vault:reveal",
    "s3:GetObject\x00",
    "__class__:x", "x" * 129])  # fmt: skip
def test_an_unknown_action_is_refused(scene: Scene, action: str) -> None:
    refused(scene.ask(action, {"Bucket": "bkt", "Key": "a"}), 400, 422)


@pytest.mark.parametrize("text", NASTY)
def test_no_nasty_text_is_a_bucket_or_a_repository_or_a_ref(scene: Scene, text: str) -> None:
    refused(scene.ask("s3:GetObject", {"Bucket": text, "Key": "a"}), 400, 403, 422)
    refused(scene.ask("git:read", {"repo": text}), 400, 422)
    refused(scene.ask("git:read", {"repo": "acme/app", "refs": [text]}), 400, 422)
    refused(scene.ask("git:read", {"repo": "acme/app", "what": text}), 400, 422)
    refused(scene.ask("git:push", {"repo": text, "bundle": bundle("refs/heads/main")}), 400, 422)
    refused(scene.ask("git:push", {"repo": "acme/app", "bundle": bundle(text)}), 400, 422)
    refused(
        scene.ask("git:push", {"repo": "acme/app", "bundle": bundle("refs/heads/x"), "expected": {text: "0" * 40}}),
        400,
        422,
    )


@pytest.mark.parametrize("text", [each for each in NASTY if each])
def test_nasty_text_in_the_members_around_the_params_is_refused(scene: Scene, text: str) -> None:
    params = {"Bucket": "bkt", "Key": "a"}
    refused(scene.ask("s3:GetObject", params, resource=text), 400, 422)
    refused(scene.ask("s3:GetObject", params, connection=text), 400, 403, 422)
    refused(scene.ask(text, params), 400, 422)


def bundle(*refs: str, pack: bytes = b"PACK" + bytes.fromhex("0000000200000000")) -> str:
    """Make a bundle by hand, with ref lines no git would write."""
    sealed = pack + hashlib.sha1(pack, usedforsecurity=False).digest()
    lines = "".join(f"{'1' * 40} {ref}\n" for ref in refs)
    return base64.b64encode(f"# v2 git bundle\n{lines}\n".encode("utf-8", "surrogatepass") + sealed).decode()


BUNDLES = {
    "no base64": "%%%", "empty": "", "text": base64.b64encode(b"hello").decode(),
    "zip": base64.b64encode(b"PK\x03\x04" + b"x" * 200).decode(),
    "header only": base64.b64encode(b"# v2 git bundle\n").decode(),
    "other version": base64.b64encode(b"# v9 git bundle\n" + b"1" * 40 + b" refs/heads/x\n\nPACK").decode(),
    "no refs": bundle(),
    "option as ref": bundle("--upload-pack=touch /tmp/x"),
    "option as branch": bundle("refs/heads/--upload-pack=x"),
    "hidden ref": bundle("refs/pull/1/head"),
    "config ref": bundle("refs/heads/../../config"),
    "wildcard": bundle("refs/heads/*"),
    "twice": bundle("refs/heads/x", "refs/heads/X"),
    "many": bundle(*(f"refs/heads/b{number}" for number in range(100))),
    "no pack": bundle("refs/heads/x", pack=b"KCAP" + bytes(8)),
    "bomb": bundle("refs/heads/x", pack=b"PACK\x00\x00\x00\x02\xff\xff\xff\xff"),
}  # fmt: skip


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_that_is_none_or_names_what_it_may_not_is_refused(scene: Scene, name: str) -> None:
    refused(scene.ask("git:push", {"repo": "acme/app", "bundle": BUNDLES[name]}), 400, 422)


def test_a_bundle_whose_objects_are_not_there_never_reaches_a_ref(running: Scene) -> None:
    refs = running.git.refs("acme/app")
    reply = running.ask("git:push", {"repo": "acme/app", "bundle": bundle("refs/heads/x")})
    assert reply.status in {422, 424}
    assert running.git.refs("acme/app") == refs


@given(data=st.binary(max_size=300))
@MANY
def test_no_bytes_are_taken_for_an_intent(scene: Scene, data: bytes) -> None:
    refused(scene.post(data), 400, 422)


@given(
    action=st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:CopyObject", "s3:ListObjectsV2", "git:read",
        "git:push"]),
    params=st.dictionaries(
        st.sampled_from(["Bucket", "Key", "Body", "CopySource", "MaxKeys", "Metadata", "Range", "repo", "what",
            "refs", "bundle"])
        | st.text(max_size=5), JSON_VALUES, max_size=6,
    ),
)  # fmt: skip
@MANY
def test_params_of_wrong_types_are_refused_and_never_a_fault(scene: Scene, action: str, params: dict[str, Any]) -> None:
    # No bucket that is allowed and no repository that is there can come out of these values.
    refused(scene.ask(action, params), 400, 403, 422)


@given(key=st.text(min_size=1, max_size=60) | st.sampled_from([each for each in NASTY if each]))
@example("free/../../other/x")
@example("./a//b/%2e%2e/c?d#e&f=g")
@MANY
def test_a_key_is_refused_or_reaches_the_upstream_as_exactly_that_key(running: Scene, key: str) -> None:
    before = running.s3.reads.copy()
    reply = running.ask("s3:GetObject", {"Bucket": "bkt", "Key": key})
    new = [urllib.parse.unquote(path, errors="strict") for path in running.s3.reads - before]
    assert (reply.status, new) == (200, [f"/bkt/{key}"]) or (reply.status in {400, 422} and not new)


@given(key=st.text(st.characters(max_codepoint=255), max_size=200))
@MANY
def test_an_idempotency_key_is_visible_ascii_or_refused(scene: Scene, key: str) -> None:
    body = json.dumps({"action": "s3:GetObject", "params": {"Bucket": "bkt", "Key": "a"}, "dry_run": True}).encode()
    try:
        reply = scene.post(body, Idempotency_Key=key)
    except ValueError:
        return  # the client's own library refuses to send it
    trimmed = key.strip(" \t")
    fits = 0 < len(trimmed) <= 128 and all("!" <= each <= "~" for each in trimmed)
    assert reply.status == (200 if fits else 400)


def test_nul_and_controls_in_every_string_member_are_no_fault(scene: Scene) -> None:
    for nasty in ("\x00", "a\x00b", "\x1b]0;x\x07", "\u202e", "\ufeff", "\uffff"):
        sound = {"action": "s3:GetObject", "params": {"Bucket": "bkt", "Key": "a"}, "dry_run": True}
        for member in ("action", "connection", "resource"):
            refused(scene.post(json.dumps({**sound, member: nasty}).encode()), 400, 403, 422)
        # The agent's words are its own; they are stored and shown as what they are.
        assert scene.post(json.dumps({**sound, "reason": nasty}).encode()).status in {200, 422}


def test_a_reason_with_a_nul_can_be_parked_or_is_refused_on_the_real_store(running: Scene) -> None:
    sound = {"action": "s3:GetObject", "params": {"Bucket": "bkt", "Key": "nul"}}
    for reason in ("\x00", "\ud83d\ude00" * 2000, "x" * 100_000):
        assert running.post(json.dumps({**sound, "reason": reason}).encode()).status in {200, 422}


@pytest.mark.parametrize(
    "labels",
    [{f"l{number}": "x" for number in range(10_000)}, {"a\x00": "x"}, {"A": "x"}, {"a": 1}, {"a": "x" * 300}, ["a"],
     "a",
     {"../x": "y"}],
)  # fmt: skip
def test_labels_that_do_not_fit_are_refused(scene: Scene, labels: Any) -> None:
    body = json.dumps({"agent": "agent", "labels": labels}).encode()
    reply = scene.wall.send("POST", "/v1/sessions", body, token=scene.admin)
    assert reply.status in {400, 413}


def test_a_label_may_hold_any_text_and_comes_back_as_it_was(scene: Scene) -> None:
    for text in ("\x00", "\x1b[2J", "<script>", "ünï", "\U0001f511"):
        body = json.dumps({"agent": "agent", "labels": {"a": text}}).encode()
        reply = scene.wall.send("POST", "/v1/sessions", body, token=scene.admin)
        assert reply.status in {201, 422}
        if reply.status == 201:
            shown = scene.wall.send("GET", f"/v1/sessions/{reply.data['session']['id']}", token=scene.admin)
            assert shown.data["labels"] == {"a": text}


TOKENS = {
    "none": "", "garbage": "x", "forged session": make_token("s", b"f" * 40),
    "forged operator": make_token("o", b"f" * 40),
    "long": "x" * 5000, "sql": "' OR 1=1 --", "percent": "%00", "two": "a b",
}  # fmt: skip


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_is_not_ours_opens_nothing(scene: Scene, name: str) -> None:
    body = b'{"action":"s3:GetObject","params":{"Bucket":"bkt","Key":"a"}}'
    for method, path in (
        ("POST", "/v1/intents"),
        ("GET", "/v1/whoami"),
        ("POST", "/v1/sessions"),
        ("GET", "/v1/events"),
    ):
        assert scene.wall.send(method, path, body, token=TOKENS[name]).kind == "unauthenticated"
    for scheme in ("Basic", "bearer\t", "Token"):
        headers = {"Authorization": f"{scheme} {scene.wall.token}"}
        assert scene.wall.send("POST", "/v1/intents", body, headers=headers).kind == "unauthenticated"


@pytest.mark.req("S1")
def test_an_expired_token_and_one_changed_in_one_place_open_nothing(scene: Scene) -> None:
    wall = scene.wall
    started = wall.send("POST", "/v1/sessions", b'{"agent":"agent","ttl_seconds":1}', token=scene.admin)
    eventually(lambda: wall.send("GET", "/v1/whoami", token=started.data["token"]).kind == "session-expired")
    for place in (7, 20, len(wall.token) - 1):
        changed = wall.token[:place] + ("A" if wall.token[place] != "A" else "B") + wall.token[place + 1 :]
        assert wall.send("GET", "/v1/whoami", token=changed).kind == "unauthenticated"


def test_an_agent_can_do_nothing_of_an_operator(scene: Scene) -> None:
    approval = "/v1/approvals/apr_" + "0" * 26
    for method, path in (
        ("POST", "/v1/sessions"),
        ("GET", "/v1/events"),
        ("POST", f"{approval}/approve"),
        ("POST", f"{approval}/reject"),
    ):
        assert scene.wall.send(method, path, b"{}").kind == "forbidden"
    assert scene.wall.send("DELETE", "/v1/sessions/ses_" + "0" * 26).kind == "not-found"
    assert scene.wall.send("POST", "/v1/intents", b"{}", token=scene.admin).kind == "forbidden"


def test_a_body_too_large_is_refused_before_it_is_read(scene: Scene) -> None:
    """A head that announces 10 GB gets its answer while not a byte of the body was sent."""
    host, _, port = scene.wall.url.removeprefix("http://").partition(":")
    head = (
        f"POST /v1/intents HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {scene.wall.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {10 << 30}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode())
        said = connection.makefile("rb").read()
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"urn:ostiary:problem:request-too-large" in said


def test_a_body_too_large_without_a_length_is_cut_off(scene: Scene) -> None:
    host, _, port = scene.wall.url.removeprefix("http://").partition(":")
    head = (
        f"POST /v1/intents HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {scene.wall.token}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = 0
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode())
        try:
            while sent < 64 << 20:
                connection.sendall(chunk)
                sent += len(chunk)
        except ConnectionError:
            pass
    assert sent < 64 << 20, "it read the whole body"


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c touch% x", "file:///etc", "ssh://git@host/x", "git@host:x", "http://203.0.113.5/x", "https://u:p@host/x",
     "https://host/../x", "--upload-pack=x", "https://ho\u0455t/x"],
)  # fmt: skip
def test_ostiary_check_refuses_a_connection_whose_url_is_no_plain_https(scene: Scene, url: str) -> None:
    config = scene.up.data / "config" / "ostiary.yaml"
    sound = config.read_text()
    try:
        config.write_text(sound.replace(scene.git.url, url))
        done = scene.up.cli("check")
    finally:
        config.write_text(sound)
    assert done.returncode == 2
    assert "ostiary.yaml:" in done.stderr + done.stdout
    assert "u:p@" not in done.stderr + done.stdout
