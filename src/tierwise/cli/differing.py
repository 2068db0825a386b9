"""What would another policy change? In words, exactly over what is configured, and over recorded decisions."""

from functools import partial
from typing import Any

import msgspec

from tierwise import bootstrap, config
from tierwise.cli.replay import counted, in_words, told
from tierwise.gateway.flips import Tally
from tierwise.gateway.openings import Opening, openings
from tierwise.gateway.releases import put_in_force
from tierwise.gateway.replay import against_policy
from tierwise.gateway.replaying import Compare
from tierwise.policy.compare import Change, changes
from tierwise.policy.released import Written

MOST_OPENINGS = 20


class Differing(msgspec.Struct, frozen=True, kw_only=True):
    """Two policies side by side."""

    changes: tuple[Change, ...]
    openings: list[Opening]
    tally: Tally

    @property
    def widens(self) -> bool:
        """Say whether data could go where it could not go before, or is found less."""
        wider = self.tally.kinds.get("wider", 0) + self.tally.kinds.get("farther", 0)
        return bool(self.openings or wider or any(change.loosens for change in self.changes))

    def report(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        opened = [msgspec.to_builtins(opening) | {"text": opening.text} for opening in self.openings]
        return {"widens": self.widens, "changes": self.changes, "openings": opened, **told(self.tally)}

    def words(self) -> str:
        """Return it as people read it."""
        lines = [f"  {change.text}{'  (loosens)' if change.loosens else ''}" for change in self.changes]
        lines = lines or ["  nothing changes in words"]
        lines += [f"  opens: {opening.text}" for opening in self.openings[:MOST_OPENINGS]]
        more = len(self.openings) - MOST_OPENINGS
        lines += [f"  opens: … and {more} more"] if more > 0 else []
        if self.tally.decisions:
            lines.append(f"{self.tally.decisions:,} recorded decisions, {self.tally.flipped:,} would differ")
        return "".join(line + "\n" for line in lines) + in_words(self.tally)


def compared(settings: config.Settings, before: Written, after: Written, since: float | None) -> Differing:
    """Compare two policies over what is configured and what was recorded since then, if asked. Raises ConfigError."""
    said = changes(before, after)
    rules = bootstrap.rules_from(settings)
    opened = openings(rules.under(before), put_in_force(rules, after), (before, after))
    tally = Tally() if since is None else counted(settings, partial(_build, settings, before, after), since)
    return Differing(changes=said, openings=opened, tally=tally)


def _build(settings: config.Settings, before: Written, after: Written) -> Compare:
    rules = bootstrap.rules_from(settings)
    return partial(against_policy, rules.under(before), rules.under(after))
