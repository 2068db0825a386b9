"""What may a user say about incidents and who is told of them? The tables `[incidents]` and `[[notify]]`.

Invariant: a value that is accepted is obeyed; a secret is a reference, and so may be an address that holds one.
"""

import re
from typing import Annotated, Literal

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.ledger.incidents import Kind, Severity, rank

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class IncidentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an incident opens and closes.

    An endpoint is down `down_after_s` after it failed repeatedly, if it has not answered since. What lasts closes when
    it was not seen for `quiet_s`; closed by a person, it opens no new one for `rest_s`. `refusals` by policy of one
    key within `refusals_window_s` are a leak attempt; a share of `gate_failures` among the last `gate_calls` of a
    workflow is one of kind gate. None is never.
    """

    down_after_s: Seconds = 60.0
    quiet_s: Seconds = 60.0
    rest_s: Seconds = 3600.0
    refusals: Count | None = None
    refusals_window_s: Seconds = 600.0
    gate_failures: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    gate_calls: Count = 50


class NotifyRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told of incidents of these `kinds` (of all, if none is given) from this `severity` on.

    `url` is an address or a reference to one, `secret` a reference to what signs; `command` is run without a shell.
    """

    name: str
    kind: Literal["log", "webhook", "command"]
    url: str | None = None
    secret: str | None = None
    ca_file: str | None = None
    command: tuple[str, ...] = ()
    severity: Severity = "notice"
    kinds: tuple[Kind, ...] = ()
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot be obeyed (`ConfigError`)."""
        if not NAME.fullmatch(self.name):
            raise ConfigError(f"notify.name {self.name!r}: up to 64 letters, digits, dots, dashes and underscores")
        wanted = {"log": None, "webhook": "url", "command": "command"}[self.kind]
        given = {"url": self.url is not None, "command": bool(self.command)}
        for field, there in given.items():
            if there != (field == wanted):
                told = f"needs {field}" if field == wanted else f"has no {field}"
                raise ConfigError(f"notify {self.name!r}: a {self.kind} {told}", key=f"notify.{field}")
        if self.kind != "webhook" and (self.secret is not None or self.ca_file is not None):
            raise ConfigError(f"notify {self.name!r}: secret and ca_file are for a webhook", key="notify.secret")

    def wants(self, kind: Kind, severity: Severity) -> bool:
        """Say whether it is told of such an incident."""
        return (not self.kinds or kind in self.kinds) and rank(severity) >= rank(self.severity)


LOG = NotifyRow(name="log", kind="log")


def rows_of(rows: tuple[NotifyRow, ...]) -> tuple[NotifyRow, ...]:
    """Return who is told: all that are configured, and the log in any case. ConfigError for a name given twice."""
    found = rows if any(row.kind == "log" for row in rows) else (LOG, *rows)
    names = [row.name for row in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two notifiers are named {name!r}", key="notify.name")
    return found
