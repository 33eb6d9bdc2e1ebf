"""The processes of one machine: which there are for these settings, with which environment, ready by which sign."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import broker
from broker.settings import PREFIX, Settings
from broker.supervisor.child import Role
from broker.supervisor.children import ChildSpec, note_names_it, socket_answers
from broker.supervisor.folders import make_private
from broker.supervisor.notes import API_NOTE, WORKER_NOTE
from broker.supervisor.valkey import valkey_spec

# What our processes may know of the caller's environment. Keys and tokens lie about in shells: none of it is passed on,
# and no library finds a proxy or a profile there.
_PASSED_ON: Final = (
    "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER",
    "COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START",
)  # fmt: skip

# What botocore's default chain reads beside files in HOME: the vault's own, and only when KMS keeps its root key.
_FOR_KMS: Final = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
)  # fmt: skip


def make_folders(settings: Settings) -> list[Path]:
    """Make the folders of the house, mode 0700; return the new ones.

    Raises:
        UnsafeFolderError: one is not ours alone.
    """
    folders = (settings.data, settings.run_dir, log_dir(settings), _valkey_dir(settings))
    return [folder for folder in folders if make_private(folder)]


def log_dir(settings: Settings) -> Path:
    """Return the folder of the processes' logs."""
    return settings.data / "logs"


def specs(settings: Settings, environment: Mapping[str, str] | None = None) -> list[ChildSpec]:
    """Return the processes to supervise, each after those it needs.

    Args:
        settings: How the house runs; with ``redis_url`` no Valkey is embedded.
        environment: The caller's, `os.environ` when not given; little of it is passed on.

    Raises:
        NoServerError: Valkey is to be embedded and there is none.
    """
    caller = os.environ if environment is None else environment
    inherited = _environment(caller, _PASSED_ON)
    python = {**inherited, "PYTHONPATH": str(_import_root()), "PYTHONUNBUFFERED": "1"}
    for_kms = _environment(caller, _FOR_KMS) if settings.vault_kms_key else {}
    basis = [_vault(settings, {**python, **for_kms})]
    if not settings.redis_url:
        basis.append(valkey_spec(settings.run_dir / "valkey.sock", _valkey_dir(settings), inherited))
    needs = tuple(spec.name for spec in basis)
    broker_environment = {**python, **settings_environment(settings)}
    notes = {Role.API: API_NOTE, Role.WORKER: WORKER_NOTE}
    return [
        *basis,
        *(
            ChildSpec(
                name=role.value,
                argv=_python("broker.supervisor.child", role.value),
                ready=note_names_it(settings.run_dir / notes[role]),
                environment=broker_environment,
                needs=needs,
                reloads=role is Role.API,
            )
            for role in Role
        ),
    ]


def settings_environment(settings: Settings) -> dict[str, str]:
    """Return the variables from which `broker.settings.load_settings` makes these settings again."""
    values = settings.model_dump(mode="json", exclude_none=True)
    return {PREFIX + name.upper(): str(value) for name, value in values.items()}


def _vault(settings: Settings, environment: Mapping[str, str]) -> ChildSpec:
    paths = ("--socket", str(settings.vault_socket), "--storage", str(settings.vault_storage))
    return ChildSpec(
        name="vault",
        argv=_python("vault", *paths, *_root_key(settings)),
        ready=socket_answers(settings.vault_socket),
        environment=environment,
    )


def _root_key(settings: Settings) -> tuple[str, ...]:
    if settings.vault_kms_key:
        endpoint = ("--kms-endpoint", settings.vault_kms_endpoint) if settings.vault_kms_endpoint else ()
        return ("--kms-key", settings.vault_kms_key, *endpoint)
    return ("--key-file", str(settings.key_file)) if settings.key_file else ()


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    # -P: the working folder is the caller's, and nothing may be imported from there.
    return (sys.executable, "-P", "-m", module, *arguments)


def _environment(caller: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: caller[name] for name in names if name in caller}


def _import_root() -> Path:
    """Return the folder our rooms are imported from; a source tree need not be installed."""
    return Path(broker.__file__).parent.parent


def _valkey_dir(settings: Settings) -> Path:
    return settings.data / "valkey"
