"""What would other rules have done with recorded traffic?

Pure: the label, features and hints of a record are decided anew; nothing is sent and nothing is written.
A label is kept as it was recorded, since content is not stored and cannot be scanned again.
"""

from collections.abc import Iterable, Iterator

import msgspec

from tierwise.core.call import Hints
from tierwise.core.decision import Decision
from tierwise.core.errors import InvalidCall
from tierwise.core.grant import Grant
from tierwise.core.label import Label
from tierwise.gateway.attempt import told
from tierwise.gateway.decide import Ask, decide, resolve
from tierwise.gateway.facts import Facts
from tierwise.gateway.rules import Rules
from tierwise.policy.granted import LABEL, MODELS


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded decision beside what the new rules decide. `moved` is true where the first choice differs."""

    before: Decision
    after: Decision
    moved: bool


def replay(rules: Rules, decisions: Iterable[Decision]) -> Iterator[Moved]:
    """Decide each recorded call anew, all endpoints taken as healthy and no budget as spent."""
    facts = Facts(rules.breaker, ())
    for before in decisions:
        ask = Ask(
            id=before.id,
            ts=before.ts,
            now=0.0,
            model=before.requested_model,
            wire=before.caller_wire,
            features=before.features,
            hints=Hints(workflow=before.workflow, session=before.session),
            key_id=before.key_id,
            grant=_grant(before),
        )
        try:
            ruling = decide(rules, facts, ask, resolve(rules, ask), before.label)
            after = ruling.decision
            if ruling.refusal is not None:
                after = msgspec.structs.replace(after, error=told(ruling.refusal))
        except InvalidCall as error:
            after = msgspec.structs.replace(before, candidates=(), chosen=None, attempts=(), error=told(error))
        yield Moved(before=before, after=after, moved=_first(before) != after.chosen)


def _grant(before: Decision) -> Grant | None:
    """Return what the caller's key could do, as far as the record shows it; a model that it does not name is denied."""
    if before.key_id is None:
        return None
    by = {candidate.model: candidate.excluded_by for candidate in before.candidates}
    limited = MODELS in by.values()
    return Grant(
        name=before.key_id,
        team=before.team,
        models=tuple(model for model, rule in by.items() if rule != MODELS) or ("",) if limited else (),
        label=Label.PUBLIC if LABEL in by.values() else None,
    )


def _first(decision: Decision) -> str | None:
    """Return the model that was tried first: the last one tried stands in `chosen`."""
    return decision.attempts[0].model if decision.attempts else decision.chosen
