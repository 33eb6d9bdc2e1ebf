"""Names of models: one canonical form for policy, prices and the ledger, whatever form a client writes.

    anthropic/claude-opus-4-8     provider/model, as policy names it
    claude-opus-4-8               as the provider names it; dates stay, they name another snapshot
    anthropic.claude-opus-4-8-v1:0, us.anthropic.…, arn:aws:bedrock:…:foundation-model/anthropic.…
                                  as Amazon Bedrock names it (user guide, "Supported foundation models")

A name that fits none of them exactly is refused. Nothing is folded, decoded or trimmed: two spellings that an upstream
might take for the same model must not be two names for policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from connectors.errors import InvalidParamsError

MAX_NAME_CHARS: Final = 128
"""Of a name as it is written, but for ARNs of Bedrock, which are longer."""
NAME: Final = r"[a-z0-9]+([._-][a-z0-9]+)*"
"""A canonical name: one segment for policy, so there is no ``:`` in it either."""
PROVIDER: Final = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"

_NAME: Final = re.compile(NAME, re.ASCII)
_PROVIDER: Final = re.compile(PROVIDER, re.ASCII)
_ARN: Final = re.compile(
    r"arn:aws[a-z-]{0,20}:bedrock:[a-z0-9-]{0,32}:[0-9]{0,12}:(?:foundation-model|inference-profile)/(?P<id>.+)",
    re.ASCII,
)
_BEDROCK: Final = re.compile(
    r"(?:(?P<profile>[a-z]{2,6}(-[a-z]{2,4})?)\.)?(?P<own>anthropic\.(?P<name>claude-[a-z0-9.-]+?)(-v[0-9]{1,2}(:[0-9]{1,2})?)?)",
    re.ASCII,
)
_VENDOR: Final = "anthropic."
_MAX_ARN_CHARS: Final = 512
_SHOWN: Final = 80
_OPAQUE: Final = ("application-inference-profile", "provisioned-model", "custom-model", "imported-model", "prompt")
"""Resources of Bedrock whose ARN does not say which model is behind them."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model, by its canonical name.

    Args:
        provider: Who makes it, or whose list it is on: ``anthropic``.
        name: As that provider names it.
        bedrock: As a client named it for Bedrock, ``anthropic.claude-opus-4-8-v1:0``, without an inference profile;
            empty when it named it otherwise.
    """

    provider: str
    name: str
    bedrock: str = ""

    @property
    def id(self) -> str:
        """``provider/name``."""
        return f"{self.provider}/{self.name}"

    @property
    def resource(self) -> str:
        """As policy names it: ``models/provider/name``."""
        return f"models/{self.provider}/{self.name}"


def read_canonical(text: str) -> Model:
    """Return the model a canonical name is of.

    Args:
        text: ``provider/name``.

    Raises:
        InvalidParamsError: it is no such name.
    """
    provider, _, name = text.partition("/")
    fits = len(text) <= MAX_NAME_CHARS and _PROVIDER.fullmatch(provider) and _is_name(name)
    if not fits:
        raise InvalidParamsError(f"`{shown(text)}` is not `provider/model` in lower case")
    return Model(provider, name)


def read_model(text: str, provider: str) -> Model:
    """Return the model a client means.

    Args:
        text: As the client wrote it; aliases have been looked up before.
        provider: Whose model a name without a provider is.

    Raises:
        InvalidParamsError: it is no name of a model in any of the forms above.
    """
    if text.startswith("arn:"):
        return _from_arn(text)
    if len(text) <= MAX_NAME_CHARS:
        if "/" in text:
            return read_canonical(text)
        found = _BEDROCK.fullmatch(text)
        if found is not None:
            return _from_bedrock(found)
        if _is_name(text):
            return Model(provider, text)
    raise InvalidParamsError(
        f"`{shown(text)}` is not the name of a model",
        fix="write it as its provider does, in lower case, or as `provider/model`; other names are for `aliases`",
    )


def shown(text: str) -> str:
    """Return a client's words as a message may repeat them: clipped, and printable ASCII only."""
    clipped = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "".join(char if " " <= char <= "~" or char == "…" else "?" for char in clipped)


def _is_name(text: str) -> bool:
    # An id of Bedrock in place of a name would be sent to Bedrock as it is, under a name policy has never heard of.
    return _NAME.fullmatch(text) is not None and _VENDOR not in text


def _from_arn(text: str) -> Model:
    found = _ARN.fullmatch(text) if len(text) <= _MAX_ARN_CHARS else None
    named = _BEDROCK.fullmatch(found["id"]) if found else None
    if named is not None:
        return _from_bedrock(named)
    opaque = any(f":{kind}/" in text for kind in _OPAQUE)
    why = "does not say which model is behind it" if opaque else "is not the ARN of a model of Anthropic at Bedrock"
    raise InvalidParamsError(f"`{shown(text)}` {why}", fix="an operator can name it under `aliases` of the connection")


def _from_bedrock(found: re.Match[str]) -> Model:
    name = found["name"]
    if not _is_name(name):
        raise InvalidParamsError(f"`{shown(found[0])}` is not the name of a model at Bedrock")
    return Model("anthropic", name, found["own"])
