from __future__ import annotations

import pytest

from broker.doors.aws.refusals import Cause, No, Speech, of_outcome, of_problem, of_refusal, pending, shaped
from broker.model import IntentState
from broker.outcome import Outcome, Problem, ProblemKind
from connectors.aws.wire_in.refusal import AWS_FORM, Reason, Refusal
from connectors.aws.wire_in.services import Protocol

S3 = Speech(Protocol.REST_XML, "s3", "GET")
SPEECHES = [
    S3,
    Speech(Protocol.REST_XML, "route53", "GET"),
    Speech(Protocol.QUERY, "sts", "POST"),
    Speech(Protocol.EC2, "ec2", "POST"),
    Speech(Protocol.JSON, "dynamodb", "POST"),
    Speech(Protocol.REST_JSON, "lambda", "GET"),
    Speech(Protocol.CBOR, "monitoring", "POST"),
]
REPEATED = {429, 500, 502, 503, 504, 509}
"""Statuses after which botocore asks again, in one of its modes or the other."""


def code_of(no: No, speech: Speech = S3) -> tuple[int, bytes]:
    answer = shaped(no, speech, "rid")
    return answer.status, answer.body


@pytest.mark.parametrize("kind", ProblemKind)
@pytest.mark.parametrize("speech", SPEECHES, ids=lambda speech: speech.protocol.value)
def test_every_problem_has_an_answer_in_every_protocol(kind: ProblemKind, speech: Speech) -> None:
    answer = shaped(of_problem(Problem(kind, "words", "why", "rule", "fix"), "int_1"), speech, "rid")
    assert 400 <= answer.status < 600
    assert answer.headers["x-amz-request-id"] == "int_1"
    assert b"words" in answer.body
    assert int(answer.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize("kind", ProblemKind)
def test_nothing_that_may_have_been_done_has_an_answer_that_sdks_repeat(kind: ProblemKind) -> None:
    status, body = code_of(of_outcome(Outcome("int_1", IntentState.UNKNOWN), Problem(kind, "words")))
    assert status not in REPEATED
    assert b"OstiaryOutcomeUnknown" in body


@pytest.mark.parametrize("cause", [Cause.MAYBE_DONE, Cause.WITHHELD, Cause.CONFLICT, Cause.DENIED])
def test_what_must_not_be_repeated_has_no_status_that_is(cause: Cause) -> None:
    assert all(code_of(No("x", cause), speech)[0] not in REPEATED for speech in SPEECHES)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, 404), (503, 503), (304, 304), (301, 301), (200, 400), (0, 400), (302, 400), (999, 400), ("404", 400)],
)
def test_the_status_of_an_upstream_is_kept_when_it_is_one_of_a_no(status: object, expected: int) -> None:
    no = of_problem(Problem(ProblemKind.UPSTREAM_REFUSED, "x", "NoSuchKey", extra={"upstream_status": status}))
    assert code_of(no)[0] == expected


def test_an_upstream_without_a_code_is_still_answered() -> None:
    assert code_of(of_problem(Problem(ProblemKind.UPSTREAM_REFUSED, "x")))[0] == 400


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_of_the_wire_keeps_its_code_and_status(reason: Reason) -> None:
    status, body = code_of(of_refusal(Refusal(reason, "x")))
    assert (status, AWS_FORM[reason][0].encode() in body) == (AWS_FORM[reason][1], True)


def test_a_no_without_an_intent_has_an_id_of_its_own_and_says_when_to_ask_again() -> None:
    answer = shaped(No("x", Cause.BUSY, retry_after_seconds=7), S3, "rid")
    assert (answer.headers["x-amzn-requestid"], answer.headers["retry-after"]) == ("rid", "7")


def test_answers_to_head_say_no_length_of_a_body_they_do_not_have() -> None:
    answer = shaped(No("x", Cause.DENIED), Speech(Protocol.REST_XML, "s3", "HEAD"), "rid")
    assert (answer.body, "content-length" in answer.headers) == (b"", False)


def test_what_waits_names_the_approval_and_what_is_under_way_does_not() -> None:
    url = "https://o/v1/approvals/apr_1"
    waits = Outcome("int_1", IntentState.PENDING_APPROVAL, approval_id="apr_1")
    assert url in pending(waits, url).message
    assert url not in pending(Outcome("int_1", IntentState.EXECUTING), url).message
