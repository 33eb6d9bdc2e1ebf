"""Types of resources: how their ARNs are written, and how a param names one.

A name is put into the type's template for the account and region of the call. A value that is a whole ARN is used as it
is, so that another account or region shows up in the requirement; one of another service or type is refused, because
policy would look at one thing and AWS at another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connectors.aws.catalogue.overrides.values import found, shown, text
from connectors.aws.catalogue.place import ANY, UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError

Resources = Callable[[Params, Place], Iterator[str]]
"""The resources that these params name."""

SEGMENT: Final = re.compile("[^/:]+")
"""A name that cannot hold a separator, so that it cannot reach into another part of the ARN."""
PATH: Final = re.compile(".+", re.DOTALL)
"""A name that may hold anything; the rest of its ARN is the name."""
ARN_ONLY: Final = re.compile("(?!)")
"""For params that take a whole ARN and nothing else."""

_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>[0-9]{12}|aws|):(?P<rest>.+)",
    re.DOTALL,
)


class Scope(StrEnum):
    """Head of an ARN: which of its fields are filled."""

    REGIONAL = "arn:{partition}:{service}:{region}:{account}:"
    GLOBAL = "arn:{partition}:{service}::{account}:"
    SHARED = "arn:{partition}:{service}:{region}::"
    BARE = "arn:{partition}:{service}:::"


@dataclass(frozen=True, slots=True)
class Arn:
    """A whole ARN, taken apart.

    Args:
        text: As given.
        service: Third field.
        scope: Which of region and account are filled.
        rest: Behind the account.
    """

    text: str
    service: str
    scope: Scope
    rest: str

    @property
    def head(self) -> str:
        """Everything before ``rest``."""
        return self.text.removesuffix(self.rest)


def read_arn(value: str, path: str) -> Arn | None:
    """Return a value as an ARN; None when it is no ARN.

    Raises:
        InvalidParamsError: it begins like one and is not.
    """
    if not value.startswith("arn:"):
        return None
    match = _ARN.fullmatch(value)
    if match is None:
        raise InvalidParamsError(f"`{path}` is not a whole ARN: `{shown(value)}`")
    scopes = {(True, True): Scope.REGIONAL, (False, True): Scope.GLOBAL, (True, False): Scope.SHARED}
    scope = scopes.get((bool(match["region"]), bool(match["account"])), Scope.BARE)
    return Arn(value, match["service"], scope, match["rest"])


def _same(name: str) -> str:
    return name


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of resource.

    Args:
        service: As its ARNs say.
        tail: Template of what follows the account, with ``{}`` for the name.
        scope: Head of its ARNs; a whole ARN may have one of ``also`` instead.
        form: What a name may be.
        spell: From a name to what stands in the ARN.
        settle: From what a whole ARN says behind the type to what stands in the requirement.
        also: Other heads a whole ARN of this type may have.
        types: Other beginnings a whole ARN may have behind the account.
    """

    service: str
    tail: str
    scope: Scope = Scope.REGIONAL
    form: re.Pattern[str] = SEGMENT
    spell: Callable[[str], str] = _same
    settle: Callable[[str], str] = _same
    also: tuple[Scope, ...] = ()
    types: tuple[str, ...] = ()

    def named(self, place: Place, name: str) -> str:
        """Return the ARN of a name that was checked, or of one that is not known."""
        head = self.scope.format(
            partition=place.partition, service=self.service, region=place.region, account=place.account
        )
        return head + self.tail.replace("{}", name, 1)

    def read(self, value: object, place: Place, path: str) -> str:
        """Return the resource that a param names.

        Args:
            value: A name or a whole ARN; None or empty for a name that is not known.
            place: Where the call goes.
            path: Of the param, for messages.

        Raises:
            InvalidParamsError: it can be neither.
        """
        if value is None or value == "":
            return self.named(place, UNKNOWN)
        name = text(value, path)
        arn = read_arn(name, path)
        if arn is not None:
            return self.whole(arn, path)
        if self.form.fullmatch(name) is None:
            wanted = "an ARN" if self.form is ARN_ONLY else "a name without `/` and `:`, or an ARN"
            raise InvalidParamsError(f"`{path}` is `{shown(name)}`", fix=f"expected {wanted} of {self.service}")
        return self.named(place, self.spell(name))

    def whole(self, arn: Arn, path: str) -> str:
        """Return the resource of a whole ARN.

        Raises:
            InvalidParamsError: it is of another service or type, or has other fields than these ARNs have.
        """
        for start in (self.tail.partition("{}")[0], *self.types):
            fits = arn.service == self.service and arn.scope in {self.scope, *self.also}
            if fits and arn.rest.startswith(start) and len(arn.rest) > len(start):
                return arn.head + start + self.settle(arn.rest.removeprefix(start))
        raise InvalidParamsError(
            f"`{path}` is not an ARN of this type: `{shown(arn.text)}`",
            fix=f"as `{self.scope.format(partition='aws', service=self.service, region='…', account='…')}{self.tail}`",
        )

    def at(self, path: str, default: str | None = None) -> Resources:
        """Return the resources at a path; one with an unknown name when nothing stands there.

        Args:
            path: As `values.found` reads it.
            default: The name AWS takes when the param is missing; a part of it may be unknown.
        """

        def resources(params: Params, place: Place) -> Iterator[str]:
            for value in found(params, path) or [None]:
                unsaid = value is None and default is not None
                yield self.named(place, default or UNKNOWN) if unsaid else self.read(value, place, path)

        return resources

    def where(self, path: str) -> Resources:
        """Return the resources at a path; none when nothing stands there."""

        def resources(params: Params, place: Place) -> Iterator[str]:
            for value in found(params, path):
                if value is not None:
                    yield self.read(value, place, path)

        return resources

    def new(self) -> Resources:
        """Return the resource that the call makes and AWS gives an id to.

        IAM checks it under a literal ``*``; it cannot be one that exists, so a rule about a certain id is not about it.
        """

        def resources(_params: Params, place: Place) -> Iterator[str]:
            yield self.named(place, ANY)

        return resources

    def some(self) -> Resources:
        """Return one resource that exists and that the params do not tell."""

        def resources(_params: Params, place: Place) -> Iterator[str]:
            yield self.named(place, UNKNOWN)

        return resources


def segment(value: object, path: str) -> str:
    """Return one part of a name that has several; unknown when it is missing.

    Raises:
        InvalidParamsError: it holds a separator, so that it could reach into another part.
    """
    if value is None or value == "":
        return UNKNOWN
    name = text(value, path)
    if SEGMENT.fullmatch(name) is None:
        raise InvalidParamsError(f"`{path}` is `{shown(name)}`", fix="expected a name without `/` and `:`")
    return name


def anything(_params: Params, _place: Place) -> Iterator[str]:
    """Return the whole resource of an action that IAM ties to none."""
    yield ANY


def as_given(service: str, path: str) -> Resources:
    """Return the whole ARNs at a path, of any type of one service; unknown when nothing stands there."""

    def resources(params: Params, _place: Place) -> Iterator[str]:
        for value in found(params, path) or [None]:
            arn = None if value is None else read_arn(text(value, path), path)
            if value is not None and (arn is None or arn.service != service):
                raise InvalidParamsError(f"`{path}` is `{shown(str(value))}`", fix=f"expected an ARN of {service}")
            yield UNKNOWN if arn is None else arn.text

    return resources
