"""What would other rules have done with recorded traffic?

Pure: the label, features and hints of a record are decided anew; nothing is sent and nothing is written.
A label is kept as it was recorded, since content is not stored and cannot be scanned again.
"""

from collections.abc import Iterable, Iterator

import msgspec

from tierwise.core.call import Hints
from tierwise.core.decision import Decision
from tierwise.core.errors import InvalidCall
from tierwise.gateway.attempt import told
from tierwise.gateway.decide import Ask, decide, resolve
from tierwise.gateway.facts import Facts
from tierwise.gateway.rules import Rules


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
        )
        try:
            ruling = decide(rules, facts, ask, resolve(rules, ask), before.label)
            after = ruling.decision
            if ruling.refusal is not None:
                after = msgspec.structs.replace(after, error=told(ruling.refusal))
        except InvalidCall as error:
            after = msgspec.structs.replace(before, candidates=(), chosen=None, attempts=(), error=told(error))
        yield Moved(before=before, after=after, moved=_first(before) != after.chosen)


def _first(decision: Decision) -> str | None:
    """Return the model that was tried first: the last one tried stands in `chosen`."""
    return decision.attempts[0].model if decision.attempts else decision.chosen
