"""Which pin does a person answer for? One declassification: who, why, what, until when.

Invariant: it forgives detectors in one session, or one text; what caller, workflow and default say it never lowers.
"""

import msgspec

from tierwise.core.label import Label


class Declassified(msgspec.Struct, frozen=True, kw_only=True):
    """Times are Unix seconds. Of a session: `detectors` no longer count there, and `to` is the label that what else it
    has carried still asks for. Of a text: `text_sha256` names a text, or a line of one, in which nothing counts."""

    id: str
    made: float
    until: float
    who: str
    why: str
    to: Label = Label.PUBLIC
    key_id: str | None = None
    session: str | None = None
    detectors: tuple[str, ...] = ()
    text_sha256: str | None = None
    decision: str | None = None

    @property
    def source(self) -> str:
        """Return how a decision record names it."""
        return f"declassified:{self.id}"
