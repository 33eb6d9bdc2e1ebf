"""``ostiary vault rotate`` and ``rotations``: a new value by hand, or a new AWS access key made by the vault with IAM.

The vault rotates by itself; this command begins it, tells how it goes on stderr, and puts milestones on the ledger.
When it is cut, nothing is lost: the same command goes on, and what was reached meanwhile is recorded then.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import typer

from broker.cli.context import settings_from
from broker.cli.durations import seconds
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail, say
from broker.cli.vault_fields import FromFileOption, read_fields
from broker.cli.vault_socket import RefArgument, prepare_ledger, record, record_data, ref_of, run, shown
from broker.clock import rfc3339
from broker.settings import Settings
from vault.client import VaultClient
from vault.errors import BadRequestError
from vault.model import CredentialRef
from vault.rotation.endpoints import published_endpoints
from vault.rotation.model import IamEndpoints, RotationTerms, Step
from vault.rotation.status import RotationStatus

POLL_SECONDS: Final = 0.2
_COLUMNS: Final = ("credential", "step", "user", "old_key", "new_key", "next", "reason")
_PROGRESS: Final[dict[Step, str]] = {
    Step.PLANNED: "`{old}` of {user} will be replaced",
    Step.CREATED: "`{new}` is made and sealed; trying it",
    Step.VERIFIED: "`{new}` works",
    Step.SWITCHED: "`{new}` is in use; `{old}` is made inactive when nobody has used it for a while",
    Step.DEACTIVATED: "`{old}` is inactive; it is deleted when the grace period is over",
    Step.DONE: "`{old}` is deleted",
    Step.UNDOING: "deleting `{new}`",
    Step.UNDONE: "`{old}` stays in use",
}


def rotate(  # noqa: PLR0913, PLR0917 - each option is a parameter in Typer
    ctx: typer.Context,
    ref: RefArgument,
    from_file: FromFileOption = None,
    region: Annotated[str, typer.Option(help="AWS region whose STS is asked; its partition's IAM is.")] = "us-east-1",
    endpoint: Annotated[str, typer.Option(help="Ask this origin for IAM and STS instead of AWS.")] = "",
    watch: Annotated[str, typer.Option(help="Nobody may use the old key for so long before it is inactive.")] = "15m",
    grace: Annotated[str, typer.Option(help="How long the old key stays inactive before it is deleted.")] = "24h",
    output: OutputOption = OutputFormat.TABLE,
    *,
    iam: Annotated[bool, typer.Option("--iam", help="Make the next AWS access key with IAM.")] = False,
    ignore_use: Annotated[
        bool, typer.Option("--ignore-use", help="Make the old key inactive at once, whoever uses it.")
    ] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Give a rotation up: delete the new key.")] = False,
) -> None:
    """Give a credential its next value; agents notice nothing."""
    settings, name = settings_from(ctx), ref_of(ref)
    if abort:
        _follow(settings, name, None, output)
    elif iam:
        terms = RotationTerms(
            _endpoints(region, endpoint),
            watch_seconds=_wait(watch),
            grace_seconds=_wait(grace),
            ignore_use=ignore_use,
        )
        _follow(settings, name, terms, output)
    else:
        infos = {info.ref: info for info in run(settings, lambda client: client.list())}
        if name not in infos:
            fail(f"no credential `{ref}`", ExitCode.FAILED, fix="ostiary vault list")
        fields = read_fields(infos[name].kind, from_file)
        prepare_ledger(settings)
        info = run(settings, lambda client: client.rotate(name, fields))
        record(settings, "rotate", info)
        emit(shown(info), output)


def rotations(ctx: typer.Context, output: OutputOption = OutputFormat.TABLE) -> None:
    """List the rotations of access keys that are under way, and those that ended since they were last listed."""
    settings = settings_from(ctx)
    prepare_ledger(settings)
    found = run(settings, lambda client: _record_all(settings, client))
    emit([_shown(status) for status in found], output, columns=_COLUMNS)


def _follow(settings: Settings, ref: CredentialRef, terms: RotationTerms | None, output: OutputFormat) -> None:
    prepare_ledger(settings)
    status = run(settings, lambda client: _rotate(settings, client, ref, terms))
    if status.step is not None:
        emit(_shown(status), output)
    if status.problem:
        fail(status.problem, ExitCode.FAILED, fix="put it right, and give the same command again")
    if status.stopped:
        fix = f"find out who uses `{status.old_key_id}`, and give the command again; or add `--ignore-use`"
        fail(f"stopped: {status.reason}", ExitCode.FAILED, fix=fix)
    if status.step is Step.UNDONE and terms is not None:
        fail(f"undone: {status.reason}", ExitCode.FAILED)


async def _rotate(
    settings: Settings, client: VaultClient, ref: CredentialRef, terms: RotationTerms | None
) -> RotationStatus:
    # What ended earlier is told before it makes room for what begins now.
    await _record_all(settings, client)
    if terms is None:
        await client.rotations.abort(ref)
    else:
        await client.rotations.begin(ref, terms)
    step: Step | None = None
    while True:
        status = await client.rotations.status(ref)
        if status.step is not step and status.step is not None:
            step = status.step
            words = {"old": status.old_key_id, "new": status.new_key_id, "user": status.user_arn}
            say(f"{ref}: {_PROGRESS[step].format(**words)}")
        await _record_milestone(settings, client, status)
        if not status.running:
            break
        await asyncio.sleep(POLL_SECONDS)
    if status.problem:
        failed = {"change": "rotation-failed", "credential": ref, "code": status.problem_code}
        await record_data(settings, failed)
    return status


async def _record_all(settings: Settings, client: VaultClient) -> list[RotationStatus]:
    found = await client.rotations.list()
    for status in found:
        await _record_milestone(settings, client, status)
    return found


async def _record_milestone(settings: Settings, client: VaultClient, status: RotationStatus) -> None:
    # First the ledger, then the vault: what is cut in between is on the ledger twice, never not at all.
    if status.untold is None or status.milestone is None:
        return
    await record_data(settings, status.untold)
    await client.rotations.tell(status.ref, status.milestone)


def _endpoints(region: str, endpoint: str) -> IamEndpoints:
    if endpoint:
        return IamEndpoints(endpoint, region, endpoint, region)
    try:
        return published_endpoints(region)
    except BadRequestError as error:
        fail(str(error), ExitCode.USAGE, fix="give `--region`, or `--endpoint` for what is not AWS")


def _wait(text: str) -> int:
    return 0 if text == "0s" else seconds(text)


def _shown(status: RotationStatus) -> dict[str, Any]:
    return {
        "credential": status.ref,
        "step": status.step,
        "user": status.user_arn,
        "old_key": status.old_key_id,
        "new_key": status.new_key_id,
        "planned": _time(status.planned_at_ns),
        "switched": _time(status.switched_at_ns),
        "deactivated": _time(status.deactivated_at_ns),
        "next": _time(status.due_at_ns),
        "stopped": status.stopped,
        "reason": status.reason or status.problem,
        "running": status.running,
    }


def _time(at_ns: int) -> str:
    return rfc3339(at_ns) if at_ns else ""
