from __future__ import annotations

import pytest
from pydantic import ValidationError

from connectors.base import Connection
from connectors.git.connection import GitConnection, host_and_port, is_loopback, options_of
from vault.model import CredentialRef


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com",
        "https://git.example.com:8443/scm/teams",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://[::1]:8080",
        "http://localhost:1",
        "https://10.0.0.1",
        "https://[2001:db8::1]",
    ],
)
def test_a_plain_base_url_is_taken(url: str) -> None:
    assert GitConnection(url=url).repository_url("acme/app") == f"{url}/acme/app.git"


def test_a_slash_at_the_end_makes_no_difference() -> None:
    assert GitConnection(url="https://github.com/").url == "https://github.com"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "github.com",
        "http://github.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "ssh://git@github.com",
        "git://github.com",
        "file:///srv/git",
        "ext::sh -c touch",
        "https://",
        "https://user:hunter2@github.com",
        "https://@github.com",
        "https://github.com?x=1",
        "https://github.com#x",
        "https://github.com?",
        "https://GitHub.com",
        "HTTPS://github.com",
        "https://github.com:",
        "https://github.com:0",
        "https://github.com:99999",
        "https://github.com:x",
        "https://-github.com",
        "https://git_hub.com",
        "https://github.com.",
        "https://git hub.com",
        " https://github.com",
        "https://github.com\n",
        "https://g\u0456thub.com",
        "https://github.com/../x",
        "https://github.com//x",
        "https://github.com/%2e%2e",
        "https://github.com/-x",
        "https://[fe80::1%25eth0]",
        "https://[::1",
    ],
)
def test_a_url_that_could_lead_elsewhere_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        GitConnection(url=url)
    assert "hunter2" not in str(caught.value)


def test_unknown_options_and_loose_types_are_refused() -> None:
    for options in ({"url": "https://a.b", "x": 1}, {"url": "https://a.b", "case_sensitive": "yes"}, {"url": 1}, {}):
        with pytest.raises(ValidationError):
            options_of(Connection("forge", "git", CredentialRef("git/acme"), options))


def test_host_and_port_come_from_the_url() -> None:
    assert host_and_port("https://github.com/x") == ("github.com", 443)
    assert host_and_port("http://[::1]/x") == ("::1", 80)
    assert host_and_port("http://127.0.0.1:81") == ("127.0.0.1", 81)


def test_only_this_machine_is_loopback() -> None:
    assert [is_loopback(host) for host in ("localhost", "127.0.0.2", "::1")] == [True, True, True]
    assert [is_loopback(host) for host in ("localhost.example.com", "128.0.0.1", "")] == [False, False, False]


ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("ssh://git@github.com", "ssh://git@github.com:22"),
        ("ssh://git@github.com/", "ssh://git@github.com:22"),
        ("ssh://git@git.example.com:2222/scm", "ssh://git@git.example.com:2222/scm"),
        ("ssh://forge_1@[2001:db8::1]/x", "ssh://forge_1@[2001:db8::1]:22/x"),
    ],
)
def test_an_ssh_host_is_named_with_its_user_its_port_and_its_keys(url: str, kept: str) -> None:
    options = GitConnection.model_validate({"url": url, "host_keys": [ED25519]})
    assert options.repository_url("acme/app") == f"{kept}/acme/app.git"
    assert options.over_ssh
    assert GitConnection.model_validate(options.model_dump()) == options


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ssh://git@github.com", "host_keys": []},
        {"url": "ssh://github.com"},
        {"url": "ssh://git:hunter2@github.com"},
        {"url": "ssh://-oProxyCommand=x@github.com"},
        {"url": "ssh://git@-oProxyCommand"},
        {"url": "ssh://a@b@github.com"},
        {"url": "ssh://@github.com"},
        {"url": "ssh://git@github.com/a'b"},
        {"url": "ssh://git@github.com?x"},
        {"url": "https://github.com"},
        {"url": "ssh://git@github.com", "app_api": "https://api.github.com"},
        {"url": "ssh://git@github.com", "host_keys": [ED25519] * 17},
    ],
)
def test_an_ssh_host_that_could_lead_elsewhere_is_refused_without_being_repeated(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        GitConnection.model_validate({"host_keys": [ED25519], **options})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "ssh-ed25519",
        "ssh-dss AAAAB3NzaC1kc3MAAAAA",
        "github.com " + ED25519,
        ED25519 + " comment",
        ED25519 + "\n" + ED25519,
        ED25519.replace("A", "\u0410", 1),
        ED25519.replace("AAAAC3", "AAAA*3"),
        "ssh-rsa " + ED25519.partition(" ")[2],
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
        "ssh-ed25519 " + "A" * 5000,
    ],
)
def test_what_is_no_key_of_a_host_is_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        GitConnection.model_validate({"url": "ssh://git@github.com", "host_keys": [key]})
