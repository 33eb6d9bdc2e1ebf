"""A botocore client of which the machine has no part, and the origins it may be sent to.

No configuration file, environment variable, proxy or profile is read: endpoint, region and key are given. botocore is
imported when the first client is made, as it takes a quarter of a second and most vaults never need it.
"""

from __future__ import annotations

import ipaddress
import os
import threading
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from vault.credential import Credential
from vault.errors import BadRequestError

MAX_ORIGIN_CHARS: Final = 255
CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 10

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_making = threading.Lock()
"""A botocore session makes one client at a time."""


def host_of(origin: str) -> str:
    """Return ``host:port`` of an origin whose answers hold secrets: over TLS, or on this machine.

    Raises:
        BadRequestError: it is no origin, or neither TLS nor on this machine.
    """
    shown = origin.encode("unicode_escape").decode()[:MAX_ORIGIN_CHARS]
    try:
        parts = urlsplit(origin)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        name, port = "", None
    strange = not origin.isascii() or len(origin) > MAX_ORIGIN_CHARS or bool(set("?#@\\").intersection(origin))
    if strange or not name or parts.scheme not in _DEFAULT_PORTS or parts.path not in {"", "/"}:
        raise BadRequestError(f"`{shown}` is no endpoint: expected `https://host` or `https://host:port`")
    if parts.scheme == "http" and not _is_here(name):
        raise BadRequestError(f"`{shown}` would answer in the clear: secrets are asked for over https")
    return f"{f'[{name}]' if ':' in name else name}:{port or _DEFAULT_PORTS[parts.scheme]}"


def aws_client(service: str, credential: Credential, *, endpoint: str, region: str, attempts: int) -> Any:  # noqa: ANN401 - botocore makes its clients at run time
    """Return a botocore client that signs with a credential.

    Args:
        service: botocore's name of it.
        credential: An AWS credential.
        endpoint: Origin; not checked here, see `host_of`.
        region: Region of the signature.
        attempts: How often a call is sent at most.
    """
    from botocore.config import Config

    token = credential.fields.get("session_token")
    with _making:
        return _session().create_client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=credential.identity,
            aws_secret_access_key=credential.fields["secret_access_key"].reveal().decode(),
            aws_session_token=token and token.reveal().decode(),
            verify=True,
            config=Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"total_max_attempts": attempts, "mode": "standard"},
                # Not None, which would mean those of the environment.
                proxies={},
            ),
        )


@cache
def _session() -> Any:  # noqa: ANN401 - botocore has no types
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConfigValueStore, ConstantProvider
    from botocore.loaders import Loader
    from botocore.session import Session

    values = {name: ConstantProvider(row[2]) for name, row in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    values |= {name: ConstantProvider(os.devnull) for name in ("config_file", "credentials_file")}
    session = Session()
    session.register_component("config_store", ConfigValueStore(values))
    # The default search paths begin with a folder of the user's own, whose models would come first.
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", loader)
    return session


def _is_here(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
