"""Rules and requests of the policy benchmark: one agent, 24 actions, every shape of resource people write.

Of 20 rules 4 are exact, 5 have an own beginning and a final star, 4 an own beginning and an inner star, 4 stand behind
one hot beginning with stars, 2 begin with a star, 1 has two stars in one segment. One rule in ten is about a whole
service, one in twenty forbids, one in twenty asks. Six requests in ten hit a rule; the others miss one narrowly.
"""

from __future__ import annotations

from policies.digest import policy_version
from policies.model import AccessRequest, ApprovalTerms, Effect, Layer, PolicySet, Requirement, Rule, Span

AGENT = "bench"
SERVICES = ("s3", "git", "ecs", "github", "llm", "http")
OPERATIONS = ("Get", "Put", "List", "Delete")
SHAPES = (
    *("arn:aws:s3:::bucket-{n}/config/key-{n}.json",) * 4,
    *("arn:aws:s3:::team-{n}/raw/*",) * 5,
    *("arn:aws:ecs:eu-west-1:{n}:service/*/web",) * 4,
    *("repos/*/*/branches/feature/team-{n}/*",) * 2,
    *("arn:aws:ecs:*:*:service/staging-{n}-*",) * 2,
    *("*.host-{n}.example.com/*",) * 2,
    "queues/*-east-*-{n}/messages",
)
CROSSING = "arn:aws:ecs:eu-west-1:7:service/**/web"


def rules(size: int) -> tuple[Rule, ...]:
    """Return ``size`` rules, the same ones each time."""
    return tuple(_rule(number) for number in range(size))


def policy(size: int, layer: Layer = Layer.AGENT) -> PolicySet:
    """Return a set of ``size`` rules."""
    made = rules(size)
    return PolicySet(AGENT, made, policy_version(AGENT, made, layer), layer)


def text(size: int) -> bytes:
    """Return the same rules as a policy file."""
    lines = ["version: 1", f"agent: {AGENT}", "policies:"]
    for rule in rules(size):
        word = "deny" if rule.effect is Effect.DENY else "allow"
        lines.append(f"  - {word}: '{rule.actions[0]} on {rule.resources[0]}'")
        if rule.effect is Effect.REQUIRE_APPROVAL:
            lines.append("    requires_approval: true")
    return "\n".join(lines).encode()


def requests(size: int, count: int, salt: int) -> list[AccessRequest]:
    """Return requests for a policy of ``size`` rules; another salt gives others, and no two are the same."""
    return [AccessRequest(AGENT, "p", (_asked(size, number, salt),)) for number in range(count)]


def _rule(number: int) -> Rule:
    operation = "*" if number % 10 == 7 else _operation(number)
    effect, terms = Effect.ALLOW, None
    if number % 20 == 13:
        effect = Effect.DENY
    elif number % 20 == 6:
        effect, terms = Effect.REQUIRE_APPROVAL, ApprovalTerms("approvals", 3600)
    resource = SHAPES[number % len(SHAPES)].format(n=number)
    span = Span("policies/bench.yaml", number + 4, 5)
    return Rule(f"bench-L{number + 4}", effect, (f"{_service(number)}:{operation}",), (resource,), span, terms)


def _service(number: int) -> str:
    return SERVICES[number // 20 % len(SERVICES)]


def _operation(number: int) -> str:
    return OPERATIONS[number // 7 % len(OPERATIONS)]


def _asked(size: int, number: int, salt: int) -> Requirement:
    rule = number * 7919 % size
    shape = SHAPES[rule % len(SHAPES)].format(n=rule)
    exact = "*" not in shape
    filled = "".join(f"{char}" if char != "*" else f"x{salt}y{number}" for char in shape)
    missed = number % 10 >= 6
    if missed:
        # Half of what misses is almost right, half is about something nobody wrote a rule for.
        filled = f"{filled[:-2]}{salt}-{number}" if number % 2 else filled.replace("-", f"-{salt}0{number}", 1)
    elif exact:
        filled = shape
    return Requirement(f"{_service(rule)}:{_operation(rule)}", filled)
