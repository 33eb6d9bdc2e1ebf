from __future__ import annotations

from structlog.testing import capture_logs

from broker.alerts.channels.log import LogSender
from broker.alerts.channels.message import MAX_FACTS, message_of, payload_of
from tests.unit.broker.alerts.channels.letters import ALERT_ID, outgoing


def test_a_message_says_what_who_when_what_to_do_and_where_to_read_on() -> None:
    facts = {"resources": ["a", "b"], "credentials": {"aws/prod": "91 days"}, "calls": 7}
    message = message_of(outgoing(facts=facts))
    assert message.title == "[ostiary warning] agent `ci-runner` was denied"
    assert message.body.splitlines() == [
        "what: agent `ci-runner` was denied",
        "  resources: a, b",
        "  credentials: aws/prod 91 days",
        "  calls: 7",
        "who: agent ci-runner, project web, session ses_1",
        "when: 2027-01-15T12:00:00.000Z",
        "do: look at it",
        f"more: https://ostiary.example/v1/alerts/{ALERT_ID}",
    ]


def test_nothing_an_agent_named_is_a_mention_a_link_or_a_line_of_its_own() -> None:
    hostile = "<!channel> @here\nwho: agent nobody [x](https://evil.example) \u202e"
    message = message_of(outgoing(title=hostile, todo=hostile, agent="x", facts={hostile: hostile, "deep": [hostile]}))
    assert len(message.body.splitlines()) == 7
    assert not set("<>@[]\u202e") & set(message.body)
    assert message.body.count("://") == 1
    assert "\n" not in message.title


def test_a_message_stays_short_and_may_be_about_nobody() -> None:
    many = {f"fact {number}": "x" * 10_000 for number in range(200)}
    message = message_of(outgoing(agent="", project="", session_id="", facts=many))
    assert message.body.count("fact ") == MAX_FACTS
    assert len(message.body) < 6000
    assert "who: nobody in particular" in message.body


def test_a_digest_says_how_many_were_held() -> None:
    message = message_of(outgoing(more=38))
    assert "38 more" in message.title
    assert "denied" not in message.body
    assert payload_of(outgoing(more=38))["data"]["more"] == 38


async def test_the_log_gets_a_line() -> None:
    with capture_logs() as logs:
        assert await LogSender().send(outgoing()) is None
    [line] = logs
    assert (line["event"], line["alert"], line["agent"]) == ("alert", ALERT_ID, "ci-runner")
