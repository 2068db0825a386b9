"""What was a call in the trial of a workflow's release? It stands in the record, and goes with a shadow's copy."""

from typing import Literal

import msgspec


class RolloutRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A call that could have gone to either arm, or a shadow's copy of one.

    `unit` is what was drawn: its number, as a fraction of 2 to the 64th, lies below the share in the canary's arm.
    `held`: not drawn, as a model holds the session. `of` is the decision whose call a shadow repeats.
    """

    release: int
    arm: Literal["canary", "stable", "shadow"]
    unit: str = ""
    held: bool = False
    of: str | None = None
