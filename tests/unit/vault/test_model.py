from __future__ import annotations

import copy
import json
import pickle  # noqa: TID251 - shown not to work
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import pytest

from vault.model import SecretValue

SECRET = b"hunter2-hunter2"


@dataclass
class Holder:
    name: str
    value: SecretValue


@pytest.mark.req("V1")
@pytest.mark.parametrize("show", [repr, str, format, "{}".format, "%s".__mod__, lambda value: f"{value!r}"])
def test_a_secret_value_has_no_text_form(show: Callable[[object], str]) -> None:
    assert "hunter2" not in show(SecretValue(SECRET))
    assert "hunter2" not in show(Holder("x", SecretValue(SECRET)))
    assert "hunter2" not in f"{SecretValue(SECRET):>40}"


@pytest.mark.parametrize(
    "take",
    [
        lambda value: value.__getstate__(),
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        json.dumps,
        orjson.dumps,
        vars,
        len,
        bytes,
        iter,
    ],
)
def test_a_secret_value_is_not_taken_out_by_a_library(take: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError) as caught:
        take(SecretValue(SECRET))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_dataclass_with_a_secret_value_is_not_turned_into_a_dict() -> None:
    with pytest.raises(TypeError):
        asdict(Holder("x", SecretValue(SECRET)))


def test_a_traceback_with_locals_does_not_show_a_secret_value() -> None:
    def fail(value: SecretValue) -> None:
        raise ValueError("no", value)

    with pytest.raises(ValueError, match="no") as caught:
        fail(SecretValue(SECRET))
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert "hunter2" not in "".join(shown)


def test_secret_values_are_equal_only_to_themselves() -> None:
    value = SecretValue(SECRET)
    assert value == value  # noqa: PLR0124 - the very point
    assert value != SecretValue(SECRET)
    assert len({value, SecretValue(SECRET)}) == 2


def test_reveal_gives_the_value() -> None:
    assert SecretValue(SECRET).reveal() == SECRET
