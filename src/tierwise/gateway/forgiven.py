"""Which declassifications concern this call? Those of its session, and the texts that are declassified anywhere.

Invariant: what has happened in a session since its newest declassification counts as ever.
"""

from collections.abc import Callable

import msgspec

from tierwise.core.call import Call
from tierwise.core.declassified import Declassified

Active = Callable[[float], tuple[Declassified, ...]]
"""Gives the declassifications in force at a Unix time."""


def nothing(_now: float) -> tuple[Declassified, ...]:
    """Forgive nothing."""
    return ()


class Forgiven(msgspec.Struct, frozen=True):
    """What is forgiven for one call, and under which name its session keeps its label meanwhile."""

    session: tuple[Declassified, ...] = ()
    texts: tuple[Declassified, ...] = ()

    @property
    def hashes(self) -> dict[str, str]:
        """Return the id of the declassification by the hash of its text."""
        return {one.text_sha256: one.id for one in self.texts if one.text_sha256 is not None}

    def name(self, session: str) -> str:
        """Return the name under which the session's label is kept: apart from that before the declassification."""
        return f"{session}\0{self.session[-1].id}" if self.session else session

    def names(self, session: str) -> dict[str, float]:
        """Return every name under which the label is kept, and from when on: what pins now pins after the end too."""
        return {session: 0.0} | ({self.name(session): self.session[-1].made} if self.session else {})


def forgiven_for(call: Call, active: tuple[Declassified, ...]) -> Forgiven:
    """Pick what concerns the call: exactly its key and its session, or a text."""
    if not active:
        return Forgiven()
    session = call.hints.session
    mine = [one for one in active if session is not None and one.session == session and one.key_id == call.key_id]
    return Forgiven(tuple(sorted(mine, key=lambda one: one.made)), tuple(one for one in active if one.text_sha256))
