"""Which conditions break a promise, of which kind and how severely? One table; whoever sees one names its row.

Invariant: what is said of an incident is made of these words and of names from the configuration.
"""

import msgspec

from tierwise.ledger.incidents import Incident, Kind, Severity, Sighting


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A broken promise. `told` says it of a subject, `look` how to look further; `lasting` as in `Sighting`."""

    name: str
    kind: Kind
    severity: Severity
    told: str
    look: str
    lasting: bool = False

    def sighting(self, ident: str, subject: str, ts: float, rest_s: float = 0.0) -> Sighting:
        """Return that it was seen once, now; `ident` names the incident if this opens one."""
        return Sighting(
            id=ident, kind=self.kind, subject=subject, condition=self.name, severity=self.severity,
            ts=ts, last=ts, lasting=self.lasting, rest_s=rest_s,
        )  # fmt: skip


_ROWS = (
    Condition(
        name="stopped", kind="leak_attempt", severity="critical", look="tierwise show DECISION",
        told="the last check before sending stopped a call to {subject} that every earlier check had let pass",
    ),
    Condition(
        name="insisted", kind="leak_attempt", severity="warning", look="tierwise log --outcome refused",
        told="policy refused call after call of {subject}",
    ),
    Condition(
        name="budget_soft", kind="budget", severity="notice", look="tierwise budget", lasting=True,
        told="the soft limit of the budget {subject} is reached",
    ),
    Condition(
        name="budget_spent", kind="budget", severity="warning", look="tierwise budget", lasting=True,
        told="the budget {subject} is spent, or has too little left for what is asked",
    ),
    Condition(
        name="unwritten", kind="audit", severity="critical", look="tierwise doctor", lasting=True,
        told="{subject} cannot be written: calls are refused",
    ),
    Condition(
        name="unverified", kind="audit", severity="critical", look="tierwise doctor",
        told="{subject} does not verify: what is recorded may have been changed",
    ),
    Condition(
        name="drift", kind="drift", severity="warning", look="tierwise doctor",
        told="accepted answers of {subject} are no longer as sure as those were that it was certified on",
    ),
    Condition(
        name="canary", kind="drift", severity="warning", look="tierwise rollout status",
        told="{subject} did worse than it may and was stopped",
    ),
    Condition(
        name="down", kind="endpoint_down", severity="warning", look="tierwise endpoints", lasting=True,
        told="{subject} failed repeatedly and does not answer",
    ),
    Condition(
        name="needed", kind="endpoint_down", severity="critical", look="tierwise endpoints", lasting=True,
        told="{subject} does not answer, and for the labels that need it there is nobody else",
    ),
    Condition(
        name="gates", kind="gate", severity="warning", look="tierwise log --outcome failed", lasting=True,
        told="too many answers of {subject} fail its gates",
    ),
    Condition(name="test", kind="gate", severity="notice", look="tierwise doctor", told="{subject}"),
)  # fmt: skip
CONDITIONS = {row.name: row for row in _ROWS}


def sentence(incident: Incident) -> str:
    """Say what happened; of a condition that this version does not know, its name."""
    row = CONDITIONS.get(incident.condition)
    return (
        f"{incident.condition}: {incident.subject}" if row is None else row.told.replace("{subject}", incident.subject)
    )


def look(incident: Incident) -> str:
    """Say how to look further."""
    row = CONDITIONS.get(incident.condition)
    told = "tierwise doctor" if row is None else row.look
    return told.replace("DECISION", incident.decisions[-1]) if incident.decisions else told.replace(" DECISION", "")
