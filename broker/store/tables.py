"""Table definitions, the same on SQLite and PostgreSQL; migrations create them, Core queries name them.

Times are integers: nanoseconds since the epoch, UTC. JSON is stored as canonical bytes; in columns of later revisions
it is the same as text, because those need a default that both databases write alike, the empty text. `events.body` is
the verbatim record whose leaf hash is in `events.leaf`; the other columns of `events` are a copy for queries and
`audit verify` compares them with the body.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _int(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _blob(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


events: Final = Table(
    "events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _int("at_ns"),
    _text("type"),
    _text("agent"),
    _text("project"),
    _text("session_id"),
    _text("intent_id"),
    _text("action"),
    _text("operator"),
    _blob("body"),
    _blob("leaf"),
    Index("events_session", "session_id", "seq"),
    Index("events_agent_action", "agent", "action", "seq"),
    Index("events_action", "action", "seq"),
    Index("events_type", "type", "seq"),
    Index("events_at", "at_ns"),
)

# One row, id 1: the size of the tree and the roots of its full subtrees, largest first (RFC 6962 section 2.1).
ledger_head: Final = Table(
    "ledger_head",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    _int("size"),
    _blob("frontier"),
)

checkpoints: Final = Table(
    "checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    _int("at_ns"),
    _blob("note"),
    # As in ledger_head, at this size; its root is the one that was signed, so it needs no trust of its own.
    _blob("frontier"),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    _text("agent"),
    _text("project"),
    _text("owner"),
    _int("created_at_ns"),
    _int("expires_at_ns"),
    _int("killed_at_ns"),
    _blob("labels"),
    _text("scopes"),
    _text("parent_id"),
    _text("root_id"),
    _int("depth"),
    _text("added_labels"),
    # Of a session that an operator started: counts the sessions below it that were ever begun, so that of two begun at
    # the same moment one loses and counts again.
    _int("minted"),
    Index("sessions_killed", "killed_at_ns"),
    Index(
        "sessions_parent",
        "parent_id",
        sqlite_where=text("parent_id <> ''"),
        postgresql_where=text("parent_id <> ''"),
    ),
)

operator_tokens: Final = Table(
    "operator_tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    _text("operator"),
    _int("created_at_ns"),
    _int("expires_at_ns"),
)

intents: Final = Table(
    "intents",
    metadata,
    Column("id", Text, primary_key=True),
    _text("session_id"),
    _text("agent"),
    _text("project"),
    _text("action"),
    _blob("resources"),
    _text("request_digest"),
    _text("plan_digest"),
    _text("state"),
    _int("version"),
    _int("fence"),
    _text("owner"),
    _text("access"),
    # NULL when the agent gave none: a unique index lets many of those stand side by side.
    Column("idempotency_key", Text, nullable=True),
    _text("approval_id"),
    _int("created_at_ns"),
    _int("updated_at_ns"),
    _blob("result"),
    _blob("problem"),
    Column("output_bytes", BigInteger, nullable=False, server_default="-1"),
    _text("output_media_type"),
    # What it holds of budgets while it is executed, as JSON; for whoever has to end it when its process died.
    _text("hold"),
    Index("intents_key", "session_id", "idempotency_key", unique=True),
    Index(
        "intents_open",
        "state",
        "updated_at_ns",
        sqlite_where=text("state IN ('pending_approval', 'approved', 'executing')"),
        postgresql_where=text("state IN ('pending_approval', 'approved', 'executing')"),
    ),
)

approvals: Final = Table(
    "approvals",
    metadata,
    Column("id", Text, primary_key=True),
    _text("intent_id"),
    _text("session_id"),
    _text("agent"),
    _text("project"),
    _text("owner"),
    _text("action"),
    _blob("resources"),
    _text("summary"),
    _text("plan_digest"),
    _text("policy_version"),
    _text("rule"),
    _text("channel"),
    _text("reason"),
    _blob("draft"),
    _text("state"),
    _int("version"),
    _int("created_at_ns"),
    _int("expires_at_ns"),
    _text("decided_by"),
    _int("decided_at_ns"),
    _text("decision_reason"),
    _text("approvers"),
    _text("assurance"),
    _text("context"),
    _text("connection"),
    _text("preview"),
    Index("approvals_state", "state", "expires_at_ns"),
    Index("approvals_session", "session_id"),
)

# How often a rule with `max_uses` has granted, by `policies.digest.rule_key`; a rule that never did has no row.
rule_uses: Final = Table(
    "rule_uses",
    metadata,
    Column("key", Text, primary_key=True),
    _int("uses"),
)

# What is left of each budget, by `broker.limits.budgets`: one row for each period that was ever begun. `extra` is what
# people granted beyond the cap, which is configuration; `alerted` is the highest threshold, in percent of the cap, that
# was told of.
budgets: Final = Table(
    "budgets",
    metadata,
    Column("key", Text, primary_key=True),
    _int("used"),
    _int("reserved"),
    _int("extra"),
    _int("alerted"),
    _int("ends_at_ns"),
    Index("budgets_ends", "ends_at_ns"),
)

# What calls came to, summed by the hour they ended in (`hour_ns`, its beginning).
usage_hours: Final = Table(
    "usage_hours",
    metadata,
    Column("hour_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("session_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("upstream", Text, primary_key=True),
    Column("agent", Text, primary_key=True),
    Column("project", Text, primary_key=True),
    _int("calls"),
    _int("estimated_calls"),
    _int("input_tokens"),
    _int("output_tokens"),
    _int("cache_read_tokens"),
    _int("cache_write_tokens"),
    _int("nano_dollars"),
    Index("usage_hours_agent", "agent", "hour_ns"),
    Index("usage_hours_project", "project", "hour_ns"),
    Index("usage_hours_session", "session_id"),
)

# What people, or a budget, stopped. `active` is `scope:name` while it holds and NULL after: no two of one hold at once.
halts: Final = Table(
    "halts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("active", Text, nullable=True),
    _text("scope"),
    _text("name"),
    _text("kind"),
    _text("reason"),
    _text("started_by"),
    _int("started_at_ns"),
    _int("ends_at_ns"),
    _int("reported_at_ns"),
    _text("lifted_by"),
    _text("lift_reason"),
    _int("lifted_at_ns"),
    Index("halts_active", "active", unique=True),
    Index("halts_started", "started_at_ns"),
)

# Failures in a row that every process should know of, by `broker.limits.breaker`; written when a call failed.
breakers: Final = Table(
    "breakers",
    metadata,
    Column("key", Text, primary_key=True),
    _int("failures"),
    _int("openings"),
    _int("opened_at_ns"),
    _int("open_until_ns"),
    _int("updated_at_ns"),
    _int("reset_at_ns"),
    _text("reason"),
    Index("breakers_updated", "updated_at_ns"),
)

# Every configuration that was in force, by id the newest last: what other processes decide with.
configurations: Final = Table(
    "configurations",
    metadata,
    Column("id", Text, primary_key=True),
    _text("version"),
    _int("at_ns"),
    _blob("files"),
)

instances: Final = Table(
    "instances",
    metadata,
    Column("id", Text, primary_key=True),
    _int("beat_at_ns"),
)

# Every alert, by `broker.alerts`. `key` is a digest of what may be told once only; `routed` is 1 once it is known whom
# to tell.
alerts: Final = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    _text("key"),
    _text("kind"),
    _text("subject"),
    _text("severity"),
    _text("title"),
    _text("todo"),
    _text("agent"),
    _text("project"),
    _text("session_id"),
    _text("facts"),
    _int("at_ns"),
    _int("count"),
    _int("routed"),
    Index("alerts_key", "key", unique=True),
    Index("alerts_at", "at_ns"),
    Index("alerts_kind", "kind", "at_ns"),
    Index("alerts_unrouted", "at_ns", sqlite_where=text("routed = 0"), postgresql_where=text("routed = 0")),
)

# An alert on its way to a channel. `more` is above 0 for one that tells of so many others instead.
alert_deliveries: Final = Table(
    "alert_deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    _text("alert_id"),
    _text("channel"),
    _text("agent"),
    _text("state"),
    _text("error"),
    _int("attempts"),
    _int("tries"),
    _int("more"),
    _int("created_at_ns"),
    _int("next_at_ns"),
    _int("updated_at_ns"),
    Index("alert_deliveries_alert", "alert_id"),
    Index("alert_deliveries_channel", "channel", "created_at_ns"),
    Index("alert_deliveries_state", "state", "next_at_ns"),
)

# How often each agent asked, by the hour; what its usual volume is known from.
activity_hours: Final = Table(
    "activity_hours",
    metadata,
    Column("agent", Text, primary_key=True),
    Column("hour_ns", BigInteger, primary_key=True, autoincrement=False),
    _int("calls"),
    Index("activity_hours_hour", "hour_ns"),
)

# What each agent ever touched, cut to buckets, repositories, models; and when it first did.
touched_resources: Final = Table(
    "touched_resources",
    metadata,
    Column("agent", Text, primary_key=True),
    Column("resource", Text, primary_key=True),
    _int("at_ns"),
)

# One row, id 1: up to which event alerts were looked for, by whom until when, and what their detectors remember.
alert_cursor: Final = Table(
    "alert_cursor",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    _int("seq"),
    _int("version"),
    _text("owner"),
    _int("until_ns"),
    _text("state"),
)

# On SQLite these live in a file of their own, so that bulk bytes do not slow the ledger's commits.
output_metadata = MetaData()

outputs: Final = Table(
    "outputs",
    output_metadata,
    Column("intent_id", Text, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    _int("at_ns"),
    _blob("chunk"),
    Index("outputs_at", "at_ns"),
)

# Prompts and answers of models that a project wants kept, in pieces the vault enclosed (`broker.contents`).
contents: Final = Table(
    "contents",
    output_metadata,
    Column("intent_id", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    _int("expires_at_ns"),
    _blob("sealed"),
    Index("contents_expires", "expires_at_ns"),
)
