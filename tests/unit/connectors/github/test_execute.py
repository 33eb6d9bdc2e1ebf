"""What is sent, what comes back, and what every other answer means."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Plan
from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError
from tests.fakes import Answer
from tests.unit.connectors.github.desk import API, GITHUB, HEAD, OLD, THERE, connection, planned, pull, run, said

pytestmark = pytest.mark.req("A4")

REF = {"ref": "refs/heads/x", "object": {"sha": OLD}}
ARCHIVE = "https://codeload.github.com/acme/app/legacy/main?token=x"


def plan_of(action: str, **params: Any) -> Plan:
    return GITHUB.plan(f"github:{action}", params, connection())


READ = plan_of("repos.get", **THERE)
WRITE = plan_of("issues.create", **THERE, title="slow", body="very")
FETCH = plan_of("repos.download-tarball-archive", **THERE, ref="main")


async def refused(plan: Plan, *script: Answer) -> UpstreamRefusedError:
    with pytest.raises(UpstreamRefusedError) as caught:
        await run(plan, script)
    return caught.value


async def test_the_request_is_made_of_the_plan_and_the_lease() -> None:
    result, transport = await run(
        WRITE, [said(201, {"number": 7}, etag='"1"', x_github_request_id="A:1", set_cookie="x")]
    )
    (sent,) = transport.sent
    assert (sent.method, sent.url) == ("POST", f"{API}/repos/acme/app/issues")
    assert json.loads(sent.body) == {"title": "slow", "body": "very"}
    assert sent.headers == {
        "accept": "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
        "user-agent": "ostiary",
        "authorization": "Bearer t0ken",
        "content-type": "application/json; charset=utf-8",
    }
    assert result.data == {
        "status": 201, "body": {"number": 7},
        "headers": {"content-type": "application/json; charset=utf-8", "etag": '"1"', "x-github-request-id": "A:1"},
    }  # fmt: skip
    assert result.upstream_request_id == "A:1"


async def test_what_is_posted_ends_with_the_mark_of_the_attempt() -> None:
    _, transport = await run(replace(WRITE, attempt="int_1"), [said(201, {})])
    assert json.loads(transport.sent[0].body)["body"] == "very\n\n<!-- ostiary:int_1 -->"
    bare = plan_of("issues.create", **THERE, title="slow")
    _, transport = await run(replace(bare, attempt="int_1"), [said(201, {})])
    assert json.loads(transport.sent[0].body)["body"] == "<!-- ostiary:int_1 -->"
    approval = await planned("github:pulls.create-review", {**THERE, "pull_number": 7, "event": "APPROVE"}, pull())
    _, transport = await run(replace(approval, attempt="int_1"), [said(200, {})])
    assert json.loads(transport.sent[0].body) == {"event": "APPROVE"}


async def test_text_is_sent_as_text() -> None:
    _, transport = await run(
        plan_of("markdown.render-raw", body="# \u00e9"), [Answer(200, {"content-type": "text/html"}, (b"<h1>",))]
    )
    assert transport.sent[0].body == "# \u00e9".encode()
    assert transport.sent[0].headers["content-type"] == "text/plain"


async def test_a_plan_for_another_upstream_is_not_sent() -> None:
    with pytest.raises(NotSentError):
        await run(READ, [], url="https://ghe.example/api/v3")


async def test_no_content_is_a_result() -> None:
    result, _ = await run(plan_of("activity.star-repo-for-authenticated-user", **THERE), [Answer(204)])
    assert result.data == {"status": 204, "headers": {}, "body": None}


async def test_not_modified_is_a_result_of_a_conditional_read_only() -> None:
    asked = plan_of("repos.get", **THERE, if_none_match='"1"')
    result, transport = await run(asked, [Answer(304)])
    assert (result.data["status"], transport.sent[0].headers["if-none-match"]) == (304, '"1"')
    assert (await refused(READ, Answer(304))).status == 304


async def test_what_is_no_json_streams_and_lets_the_connection_go_at_its_end() -> None:
    plan = plan_of("pulls.get", **THERE, pull_number=7, accept="application/vnd.github.diff")
    answer = Answer(200, {"content-type": "application/vnd.github.diff; charset=utf-8"}, (b"diff", b" --git"))
    result, transport = await run(plan, [answer])
    assert result.body is not None
    assert transport.open == 1
    assert b"".join([piece async for piece in result.body]) == b"diff --git"
    assert (transport.open, result.media_type) == (0, "application/vnd.github.diff; charset=utf-8")


async def test_a_raw_json_file_is_a_file() -> None:
    plan = plan_of("repos.get-content", **THERE, path="a.json", accept="application/vnd.github.raw+json")
    result, _ = await run(plan, [Answer(200, {"content-type": "application/vnd.github.raw+json"}, (b"{",))])
    assert result.body is not None
    await result.body.aclose()


async def test_a_file_elsewhere_is_fetched_without_the_credential() -> None:
    there = Answer(200, {"content-type": "application/gzip", "content-length": "3"}, (b"tar",))
    result, transport = await run(FETCH, [Answer(302, {"location": ARCHIVE}), there])
    assert result.body is not None
    assert b"".join([piece async for piece in result.body]) == b"tar"
    assert transport.sent[1].url == ARCHIVE
    assert transport.sent[1].headers.keys() == {"accept", "user-agent"}
    assert transport.open == 0


@pytest.mark.parametrize(
    "location",
    ["https://evil.example/x", "http://codeload.github.com/x", "https://codeload.github.com.evil.example/x", "",
     "https://user@codeload.github.com/x", "https://[::1]x/", "https://codeload.github.com:8443/x",
     "https://githubusercontent.com/x", "https://codeload.github.com/" + "x" * 9000],
)  # fmt: skip
async def test_a_file_is_fetched_from_known_hosts_only(location: str) -> None:
    error = await refused(FETCH, Answer(302, {"location": location}), Answer(200))
    assert (error.code, error.status) == ("redirect", 302)


async def test_a_redirect_of_anything_else_is_not_followed() -> None:
    error = await refused(READ, Answer(301, {"location": f"{API}/repositories/1"}))
    assert (error.code, error.status) == ("moved", 301)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (said(401), "unauthorized"),
        (said(403), "forbidden"),
        (said(403, x_ratelimit_remaining="0"), "rate-limited"),
        (said(403, retry_after="60"), "rate-limited"),
        (said(404), "not-found"),
        (said(409), "conflict"),
        (said(422), "validation"),
        (said(429), "rate-limited"),
        (said(418), "status-418"),
        (said(451), "unavailable-for-legal-reasons"),
        (said(799), "status-799"),
    ],
)
async def test_a_no_has_a_code(answer: Answer, code: str) -> None:
    error = await refused(WRITE if answer.status < 500 else READ, answer)
    assert (error.code, error.status) == (code, answer.status)


async def test_a_no_holds_github_s_own_words_clean_and_short() -> None:
    body = {
        "message": "Validation\x1b[31m Failed" + "!" * 999,
        "errors": [{"field": "title", "code": "missing", "value": 7}, "text", None] + ["x"] * 50,
        "documentation_url": "https://docs.github.com/x",
        "token": "hush",
    }
    error = await refused(WRITE, said(422, body, retry_after="9"))
    assert error.details["errors"][:2] == [{"field": "title", "code": "missing"}, "text"]
    assert error.details["headers"] == {"retry-after": "9"}
    assert error.details.keys() == {"message", "errors", "documentation_url", "headers"}
    assert str(error).isprintable()
    assert len(json.dumps(error.details)) < 2000


@pytest.mark.parametrize("chunks", [(), (b"<html>",), (b"[1]",), (b"x" * (65 << 10),)])
async def test_a_no_without_words_has_those_of_its_status(chunks: tuple[bytes, ...]) -> None:
    assert str(await refused(WRITE, Answer(404, {}, chunks))) == "not found"


@pytest.mark.parametrize("status", [409, 422])
async def test_a_merge_of_another_head_is_stale(status: int) -> None:
    plan = await planned("github:pulls.merge", {**THERE, "pull_number": 7}, pull())
    no = said(status, {"message": "m", "errors": [{"field": "sha", "code": "invalid"}]})
    error = await refused(plan, said(200, pull()), no)
    assert error.code == "stale"


@pytest.mark.parametrize("now", [{"base": {"ref": "release"}}, {"head": {"sha": OLD}}, {"base": None}])
async def test_a_pull_request_that_goes_elsewhere_now_is_not_merged(now: Any) -> None:
    plan = await planned("github:pulls.merge", {**THERE, "pull_number": 7}, pull())
    _, transport = await run(plan, [said(200, pull()), said(200, {"merged": True})])
    assert [each.method for each in transport.sent] == ["GET", "PUT"]
    assert (await refused(plan, said(200, pull() | now))).code == "stale"


@pytest.mark.parametrize("status", [408, 500, 502, 503])
async def test_an_error_of_github_leaves_a_write_unknown_and_a_read_undone(status: int) -> None:
    with pytest.raises(OutcomeUnknownError):
        await run(WRITE, [said(status)])
    assert (await refused(READ, said(status))).status == status


@pytest.mark.parametrize("chunks", [(b"{",), (b"\xff",)])
async def test_a_yes_that_cannot_be_read_is_unknown(chunks: tuple[bytes, ...]) -> None:
    with pytest.raises(OutcomeUnknownError):
        await run(WRITE, [Answer(201, {"content-type": "application/json"}, chunks)])
    with pytest.raises(OutcomeUnknownError):
        await run(WRITE, [Answer(200, {"content-type": "text/html"}, (b"<p>",))])


async def test_secrets_of_an_answer_are_named_wherever_they_stand() -> None:
    made, _ = await run(
        plan_of("actions.create-registration-token-for-repo", **THERE), [said(201, {"token": "s", "id": 1})]
    )
    assert made.secrets == (("body", "token"),)
    alerts = [{"secret": "a", "number": 1}, {"secret": None}, {"more": {"secret": "b"}}]
    listed, _ = await run(plan_of("secret-scanning.list-alerts-for-repo", **THERE), [said(200, alerts)])
    assert listed.secrets == (("body", 0, "secret"), ("body", 2, "more", "secret"))
    plain, _ = await run(READ, [said(200, {"token": "s"})])
    assert plain.secrets == ()
    with pytest.raises(UpstreamRefusedError):
        await run(plan_of("secret-scanning.list-alerts-for-repo", **THERE), [said(200, [{"secret": "a"}] * 1001)])
    with pytest.raises(OutcomeUnknownError):
        await run(plan_of("secret-scanning.get-alert", **THERE, alert_number=1), [Answer(200, {}, (b"s",))])


async def test_an_empty_answer_without_a_type_is_a_result() -> None:
    accepted, _ = await run(plan_of("repos.create-dispatch-event", **THERE, event_type="x"), [Answer(202)])
    empty, _ = await run(FETCH, [Answer(200, {"content-length": "0"})])
    assert (accepted.data["body"], empty.data["body"], empty.body) == (None, None, None)


async def test_a_secret_is_found_however_deep_it_stands() -> None:
    deep: Any = {"secret": "s"}
    for _ in range(500):
        deep = [deep]
    result, _ = await run(plan_of("secret-scanning.list-alerts-for-repo", **THERE, hide_secret=True), [said(200, deep)])
    assert result.secrets == (("body", *[0] * 500, "secret"),)


async def test_a_token_in_the_address_of_a_file_is_taken_out() -> None:
    body = [{"name": "a", "download_url": "https://raw.githubusercontent.com/acme/app/main/a?token=hush"}]
    result, _ = await run(plan_of("repos.get-content", **THERE, path="x"), [said(200, body)])
    assert result.data["body"][0]["download_url"] == "https://raw.githubusercontent.com/acme/app/main/a"


async def test_a_header_that_is_too_long_or_odd_is_left_out() -> None:
    result, _ = await run(READ, [said(200, {}, link="x" * 5000, etag="a\tb")])
    assert result.data["headers"].keys() == {"content-type"}


async def test_a_ref_is_moved_when_it_is_where_it_was() -> None:
    plan = await planned("github:git.update-ref", {**THERE, "ref": "heads/x", "sha": HEAD}, REF)
    _, transport = await run(plan, [said(200, REF), said(200, {})])
    assert [(each.method, each.url) for each in transport.sent] == [
        ("GET", f"{API}/repos/acme/app/git/ref/heads/x"),
        ("PATCH", f"{API}/repos/acme/app/git/refs/heads/x"),
    ]


@pytest.mark.parametrize("body", [{"object": {"sha": HEAD}}, [REF], {"object": None}, {}])
async def test_a_ref_that_moved_since_the_plan_is_left_alone(body: Any) -> None:
    plan = await planned("github:git.delete-ref", {**THERE, "ref": "heads/x"}, REF)
    assert (await refused(plan, said(200, body))).code == "stale"
    assert (await refused(plan, said(404))).code == "not-found"
