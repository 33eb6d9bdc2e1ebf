from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from broker.settings import CLIENT_VARIABLES, PREFIX, Settings, SettingsError, load_settings
from broker.supervisor.folders import make_private


def test_without_an_environment_everything_is_in_one_folder_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({})
    data = tmp_path / "ostiary-data"
    assert settings.data == data
    assert settings.config_dir == data / "config"
    assert settings.database == f"sqlite:///{data / 'ledger.sqlite3'}"
    assert settings.outputs_database == f"sqlite:///{data / 'outputs.sqlite3'}"
    assert settings.vault_storage == data / "vault.sqlite3"
    assert settings.key_file == data / "vault.key"
    assert settings.vault_socket == settings.run_dir / "vault.sock"
    assert settings.redis == f"unix://{settings.run_dir / 'valkey.sock'}"


def test_a_database_and_a_queue_of_ones_own_replace_the_embedded_ones() -> None:
    settings = load_settings({"OSTIARY_DATABASE_URL": "postgresql://h/d", "OSTIARY_REDIS_URL": "rediss://h/0"})
    assert (settings.database, settings.outputs_database) == ("postgresql://h/d", "postgresql://h/d")
    assert settings.redis == "rediss://h/0"


def test_values_are_read_from_their_text_and_the_command_line_wins() -> None:
    environment = {"OSTIARY_PORT": "9000", "OSTIARY_HOST": "::1", "OSTIARY_ALLOW_PRIVATE_UPSTREAMS": "true"}
    settings = load_settings(environment, port=1, host=None)
    assert (settings.port, settings.host, settings.allow_private_upstreams) == (1, "::1", True)


@pytest.mark.parametrize("name", ["OSTIARY_PROT", "OSTIARY_", "OSTIARY_DATA_DIR", "OSTIARY_MODEL_CONFIG"])
def test_an_unknown_variable_is_refused_by_name_and_without_its_value(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: "hunter2"})
    assert str(caught.value) == f"unknown setting `{name}`"


def test_variables_of_the_client_and_of_others_are_no_settings() -> None:
    environment = dict.fromkeys(CLIENT_VARIABLES, "x") | {"PATH": "/bin", "XOSTIARY_PORT": "x", "ostiary_port": "x"}
    assert load_settings(environment) == load_settings({})


@pytest.mark.req("V1")
def test_a_value_that_does_not_fit_is_told_by_the_names_of_the_variables_only() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"OSTIARY_PORT": "hunter2", "OSTIARY_KILL_POLL_SECONDS": "9", "OSTIARY_DATA": "/x"})
    assert str(caught.value) == "value does not fit: OSTIARY_KILL_POLL_SECONDS, OSTIARY_PORT"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "-1"), ("PORT", "65536"), ("MAX_REQUEST_BYTES", "1"), ("UPSTREAM_TIMEOUT_SECONDS", "0"),
     ("UPSTREAM_TIMEOUT_SECONDS", "inf"), ("UPSTREAM_TIMEOUT_SECONDS", "nan"), ("MAX_CONCURRENT_INTENTS", "0"),
     ("KILL_POLL_SECONDS", "1.1"), ("INLINE_OUTPUT_BYTES", str(1 << 21)), ("MIN_FREE_BYTES", "-1"),
     ("RECONCILE_SECONDS", "nan"), ("INSTANCE_TTL_SECONDS", "inf")],
)  # fmt: skip
def test_values_out_of_bounds_are_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^value does not fit: {PREFIX}{name}$"):
        load_settings({PREFIX + name: value})


def test_settings_are_frozen_and_closed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc] # that is the point
    with pytest.raises(ValidationError):
        Settings(prot=1)  # type: ignore[call-arg] # that is the point


def test_the_run_directory_is_in_the_data_folder_while_sockets_fit_into_its_path() -> None:
    assert Settings(data=Path("/short")).run_dir == Path("/short/run")


def test_for_a_long_path_the_run_directory_is_under_tmp_and_one_per_data_folder() -> None:
    one, again, two = (Settings(data=Path("/" + "x" * 90 + name)).run_dir for name in ("a", "a", "b"))
    assert one == again != two
    assert one.parent == Path("/tmp")  # noqa: S108 - read, not used
    assert len(str(one / "valkey.sock").encode()) < 100


def test_a_path_of_many_bytes_in_few_characters_counts_by_its_bytes() -> None:
    settings = Settings(data=Path("/" + "ü" * 60))
    assert len(str(settings.vault_socket).encode()) < 108


def test_a_run_directory_under_tmp_is_made_private(tmp_path: Path) -> None:
    folder = Settings(data=tmp_path / ("x" * 90)).run_dir
    try:
        assert make_private(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        folder.rmdir()


def test_relative_paths_and_a_tilde_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load_settings({"OSTIARY_DATA": "~/d", "OSTIARY_CONFIG": "c", "OSTIARY_VAULT_KEY_FILE": "k"})
    assert (settings.data, settings.config_dir, settings.key_file) == (tmp_path / "d", tmp_path / "c", tmp_path / "k")


def test_an_empty_key_file_means_a_passphrase() -> None:
    assert Settings(vault_key_file="").key_file is None


KMS_KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"


@pytest.mark.req("V1")
def test_a_kms_key_takes_the_place_of_the_key_file() -> None:
    settings = load_settings({"OSTIARY_VAULT_KMS_KEY": KMS_KEY, "OSTIARY_VAULT_KMS_ENDPOINT": "https://kms.test/"})
    assert (settings.key_file, settings.vault_kms_endpoint) == (None, "https://kms.test")


@pytest.mark.parametrize(
    "environment",
    [
        {"OSTIARY_VAULT_KMS_KEY": "alias/vault"},
        {"OSTIARY_VAULT_KMS_KEY": f"{KMS_KEY}\n"},
        {"OSTIARY_VAULT_KMS_KEY": KMS_KEY, "OSTIARY_VAULT_KEY_FILE": "/run/vault.key"},
        {"OSTIARY_VAULT_KMS_KEY": KMS_KEY, "OSTIARY_VAULT_KMS_ENDPOINT": "kms.test"},
        {"OSTIARY_VAULT_KMS_ENDPOINT": "https://kms.test"},
    ],
)
def test_settings_of_kms_that_do_not_fit_together_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="OSTIARY_VAULT_KMS"):
        load_settings(environment)


def test_a_job_may_take_longer_than_everything_in_it() -> None:
    assert Settings(upstream_timeout_seconds=10.5).job_timeout_seconds == 4 * 11 + 60


def test_names_of_the_aws_wire_door_are_host_names_and_its_links_start_at_an_origin() -> None:
    settings = load_settings({"OSTIARY_WIRE_HOSTS": "AWS.a.test, b", "OSTIARY_PUBLIC_URL": "https://a.test:8443/"})
    assert settings.wire_host_names == {"aws.a.test", "b"}
    assert settings.public_url == "https://a.test:8443"
    assert load_settings({}).wire_host_names == frozenset()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("OSTIARY_WIRE_HOSTS", value)
            for value in ("*.a.test", "a.test:80", "https://a", "a..b", "-a", "a_b", "a b")
        ),
        *(
            ("OSTIARY_PUBLIC_URL", value)
            for value in ("a.test", "ftp://a", "https://a/b", "https://u@a", "https://a?b")
        ),
    ],
)
def test_a_name_or_a_link_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    assert str(caught.value) == f"value does not fit: {name}"
