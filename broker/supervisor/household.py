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
    inherited = _environment(os.environ if environment is None else environment)
    python = {**inherited, "PYTHONPATH": str(_import_root()), "PYTHONUNBUFFERED": "1"}
    basis = [_vault(settings, python)]
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
    key_file = ("--key-file", str(settings.key_file)) if settings.key_file else ()
    paths = ("--socket", str(settings.vault_socket), "--storage", str(settings.vault_storage), *key_file)
    return ChildSpec(
        name="vault",
        argv=_python("vault", *paths),
        ready=socket_answers(settings.vault_socket),
        environment=environment,
    )


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    # -P: the working folder is the caller's, and nothing may be imported from there.
    return (sys.executable, "-P", "-m", module, *arguments)


def _environment(caller: Mapping[str, str]) -> dict[str, str]:
    return {name: caller[name] for name in _PASSED_ON if name in caller}


def _import_root() -> Path:
    """Return the folder our rooms are imported from; a source tree need not be installed."""
    return Path(broker.__file__).parent.parent


def _valkey_dir(settings: Settings) -> Path:
    return settings.data / "valkey"
