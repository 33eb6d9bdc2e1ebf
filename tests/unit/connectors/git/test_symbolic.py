"""Refs that are other names for refs, as a host tells of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from connectors.errors import UpstreamRefusedError
from connectors.git.symbolic import symbolic_refs
from connectors.git.wire.packets import Mark, render, split
from tests.unit.connectors.git.paper_remote import PaperRemote

OID = b"1" * 40
MAIN, ALIAS = "refs/heads/main", "refs/heads/alias"


@dataclass
class Telling(PaperRemote):
    answer: bytes = b""
    requests: list[bytes] = field(default_factory=list)

    async def upload_pack(self, request: bytes, protocol: str) -> AsyncGenerator[bytes, None]:
        assert protocol == "version=2"
        self.requests.append(request)

        async def body() -> AsyncGenerator[bytes, None]:
            yield self.answer[:7]
            yield self.answer[7:]

        return body()


def listed(*lines: bytes) -> bytes:
    return b"".join(render(OID + b" " + line + b"\n") for line in lines) + Mark.FLUSH.value


async def test_a_ref_that_stands_for_another_is_told_with_that_one() -> None:
    remote = Telling(answer=listed(b"refs/heads/alias symref-target:refs/heads/main", b"refs/heads/main"))
    assert await symbolic_refs(remote, (MAIN, ALIAS)) == {ALIAS: MAIN}
    packets = list(split(remote.requests[0]))
    assert packets[0] == b"command=ls-refs\n"
    assert packets[packets.index(Mark.DELIM) + 1 :] == [
        b"symrefs\n",
        b"ref-prefix refs/heads/main\n",
        b"ref-prefix refs/heads/alias\n",
        Mark.FLUSH,
    ]


async def test_refs_that_were_not_asked_for_and_other_attributes_are_passed_over() -> None:
    remote = Telling(
        answer=listed(b"refs/heads/mainly symref-target:refs/heads/x", b"refs/heads/main peeled:" + OID, b"\xff")
    )
    assert await symbolic_refs(remote, (MAIN,)) == {}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not packets at all",
        listed(b"refs/heads/main")[:-4],
        render(b"ERR unknown command\n") + Mark.FLUSH.value,
        Mark.DELIM.value + Mark.FLUSH.value,
        render(b"# service=git-upload-pack\n") + Mark.FLUSH.value,
    ],
)
async def test_a_host_that_does_not_speak_version_2_cannot_be_pushed_to(answer: bytes) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await symbolic_refs(Telling(answer=answer), (MAIN,))
    assert caught.value.code == "no-protocol-2"


async def test_a_list_that_is_too_long_is_not_read_to_its_end() -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await symbolic_refs(Telling(answer=listed(b"refs/heads/main")), (MAIN,), limit_bytes=10)
    assert caught.value.code == "bad-answer"
