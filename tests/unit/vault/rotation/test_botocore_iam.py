"""What IAM may answer, over real HTTP: what is taken, what is a refusal, and what is no answer at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from tests.unit.vault.samples import AWS, NOW_NS
from vault.credential import Credential, check_fields
from vault.errors import IamRefusedError, IamUnreachableError, RotationRefusedError
from vault.model import CredentialKind, CredentialRef
from vault.rotation.botocore_iam import BotocoreKeyApi, connect_aws
from vault.rotation.iam import AccessKey, Identity, KeyApi, LastUse, user_name_of
from vault.rotation.model import IamEndpoints

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYNEWKEY"
ANSWERS = {
    "GetCallerIdentity": "<Arn>arn:aws:iam::123456789012:user/a/b</Arn><Account>123456789012</Account>",
    "ListAccessKeys": "<IsTruncated>false</IsTruncated><AccessKeyMetadata>"
    "<member><AccessKeyId>AKIAONE000000000</AccessKeyId><Status>Active</Status></member>"
    "<member><AccessKeyId>AKIATWO000000000</AccessKeyId><Status>Inactive</Status></member></AccessKeyMetadata>",
    "CreateAccessKey": "<AccessKey><AccessKeyId>AKIATHREE0000000</AccessKeyId>"
    f"<SecretAccessKey>{SECRET}</SecretAccessKey></AccessKey>",
    "GetAccessKeyLastUsed": "<AccessKeyLastUsed><LastUsedDate>2017-07-14T02:40:00Z</LastUsedDate>"
    "<ServiceName>s3</ServiceName><Region>eu-west-1</Region></AccessKeyLastUsed>",
    "UpdateAccessKey": "",
    "DeleteAccessKey": "",
}


class SayingIam:
    """Answers each action with what it was told to; remembers what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.says = dict(ANSWERS)
        self.error: tuple[int, str] | None = None
        self.raw: bytes | None = None
        self.asked: list[dict[str, str]] = []

    def answer(self, body: str) -> tuple[int, bytes]:
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        self.asked.append(asked)
        if self.raw is not None:
            return 200, self.raw
        if self.error is not None:
            status, code = self.error
            text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{SECRET}</Message></Error></ErrorResponse>"
            return status, text.encode()
        action = asked["Action"]
        return (
            200,
            f"<{action}Response><{action}Result>{self.says[action]}</{action}Result></{action}Response>".encode(),
        )

    @property
    def api(self) -> BotocoreKeyApi:
        fields = check_fields(CredentialKind.AWS, AWS)
        credential = Credential(CredentialRef("aws/x"), CredentialKind.AWS, 1, ("127.0.0.1",), NOW_NS, fields)
        return connect_aws(IamEndpoints(self.url, "us-east-1", self.url, "eu-west-1"), credential)


@contextmanager
def saying() -> Iterator[SayingIam]:
    iam = SayingIam()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, answer = iam.answer(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    iam.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield iam
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def server() -> Iterator[SayingIam]:
    with saying() as iam:
        yield iam


@pytest.fixture
def iam(server: SayingIam) -> SayingIam:
    server.says, server.error, server.raw = dict(ANSWERS), None, None
    server.asked.clear()
    return server


Ask = Callable[[KeyApi], object]
ALL: list[Ask] = [
    lambda api: api.identity(),
    lambda api: api.keys("b"),
    lambda api: api.create("b"),
    lambda api: api.deactivate("b", "AKIAONE000000000"),
    lambda api: api.delete("b", "AKIAONE000000000"),
    lambda api: api.last_use("AKIAONE000000000"),
]


def test_what_iam_answers_is_taken(iam: SayingIam) -> None:
    api = iam.api
    assert api.identity() == Identity("123456789012", "arn:aws:iam::123456789012:user/a/b")
    assert api.keys("b") == (AccessKey("AKIAONE000000000", active=True), AccessKey("AKIATWO000000000", active=False))
    new = api.create("b")
    assert (new.key_id, new.fields["secret_access_key"].reveal()) == ("AKIATHREE0000000", SECRET.encode())
    assert api.last_use("AKIAONE000000000") == LastUse(NOW_NS, "s3", "eu-west-1")
    api.deactivate("b", "AKIAONE000000000")
    api.delete("b", "AKIAONE000000000")
    assert [(asked["Action"], asked.get("Status", "")) for asked in iam.asked] == [
        ("GetCallerIdentity", ""),
        ("ListAccessKeys", ""),
        ("CreateAccessKey", ""),
        ("GetAccessKeyLastUsed", ""),
        ("UpdateAccessKey", "Inactive"),
        ("DeleteAccessKey", ""),
    ]
    assert {asked.get("UserName", "b") for asked in iam.asked} == {"b"}


@pytest.mark.parametrize("ask", ALL)
def test_a_refusal_is_told_by_its_code_and_nothing_is_sent_twice(iam: SayingIam, ask: Ask) -> None:
    iam.error = (403, "AccessDenied")
    with pytest.raises(IamRefusedError) as refused:
        ask(iam.api)
    assert (refused.value.iam_code, "AccessDenied" in str(refused.value), len(iam.asked)) == ("AccessDenied", True, 1)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("fault", ["fails", "throttles oddly", "babbles"])
def test_what_is_no_answer_is_no_refusal_and_nothing_is_sent_twice(iam: SayingIam, ask: Ask, fault: str) -> None:
    if fault == "fails":
        iam.error = (500, "InternalFailure")
    elif fault == "throttles oddly":
        iam.error = (503, SECRET)
    else:
        iam.raw = b"<html>" + SECRET.encode()
    with pytest.raises(IamUnreachableError) as lost:
        ask(iam.api)
    assert (len(iam.asked), SECRET in str(lost.value)) == (1, False)


def test_a_key_that_is_gone_already_is_made_inactive_and_deleted_without_a_word(iam: SayingIam) -> None:
    iam.error = (404, "NoSuchEntity")
    iam.api.deactivate("b", "AKIAONE000000000")
    iam.api.delete("b", "AKIAONE000000000")
    with pytest.raises(IamRefusedError):
        iam.api.keys("b")


@pytest.mark.parametrize(
    ("action", "says", "ask"),
    [
        ("ListAccessKeys", "<IsTruncated>true</IsTruncated><AccessKeyMetadata/>", ALL[1]),
        ("ListAccessKeys", ANSWERS["ListAccessKeys"].replace("AKIAONE000000000", "AKIA ONE; rm -rf."), ALL[1]),
        ("ListAccessKeys", ANSWERS["ListAccessKeys"].replace("<Status>Active</Status>", ""), ALL[1]),
        ("CreateAccessKey", ANSWERS["CreateAccessKey"].replace(SECRET, "short"), ALL[2]),
        ("CreateAccessKey", ANSWERS["CreateAccessKey"].replace("AKIATHREE0000000", "AKIA THREE00000000"), ALL[2]),
        ("CreateAccessKey", "", ALL[2]),
        ("GetCallerIdentity", "<Account>1</Account>", ALL[0]),
        ("GetAccessKeyLastUsed", ANSWERS["GetAccessKeyLastUsed"].replace("2017-07-14", "yesterday "), ALL[5]),
    ],
)
def test_an_answer_of_another_form_is_none(iam: SayingIam, action: str, says: str, ask: Ask) -> None:
    iam.says[action] = says
    with pytest.raises(IamUnreachableError):
        ask(iam.api)


@pytest.mark.parametrize(
    ("says", "found"),
    [
        ("<AccessKeyLastUsed><ServiceName>N/A</ServiceName><Region>N/A</Region></AccessKeyLastUsed>", None),
        (ANSWERS["GetAccessKeyLastUsed"].replace(">s3<", ">\x7f<"), LastUse(NOW_NS, "unknown", "eu-west-1")),
    ],
)
def test_the_last_use_is_none_for_never_and_its_words_are_not_passed_on(
    iam: SayingIam, says: str, found: LastUse | None
) -> None:
    iam.says["GetAccessKeyLastUsed"] = says
    assert iam.api.last_use("AKIAONE000000000") == found


def test_nobody_there_is_unreachable(iam: SayingIam) -> None:
    with saying() as gone:
        api = gone.api
    with pytest.raises(IamUnreachableError):
        api.keys("b")


def test_the_machines_own_settings_take_no_part(iam: SayingIam, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_PROFILE": "nobody",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "AWS_CA_BUNDLE": os.devnull,
        "AWS_ACCESS_KEY_ID": "AKIAOTHER",
    }.items():
        monkeypatch.setenv(name, value)
    assert len(iam.api.keys("b")) == 2


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::123456789012:user/robot", "robot"),
        ("arn:aws-cn:iam::123456789012:user/division/a=b/robot@example.com", "robot@example.com"),
        ("arn:aws:iam::123456789012:root", ""),
        ("arn:aws:sts::123456789012:assumed-role/admin/me", ""),
        ("arn:aws:sts::123456789012:federated-user/me", ""),
        ("arn:aws:iam::123456789012:user/", ""),
        ("arn:aws:iam::123456789012:user/a b", ""),
        ("arn:aws:iam::123456789012:user/robot\n", ""),
        ("\x1b[2J", ""),
    ],
)
def test_only_the_arn_of_a_user_names_one(arn: str, name: str) -> None:
    if name:
        assert user_name_of(arn) == name
        return
    with pytest.raises(RotationRefusedError) as refused:
        user_name_of(arn)
    assert "\x1b" not in str(refused.value)
