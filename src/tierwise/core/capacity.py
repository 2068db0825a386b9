"""How busy is a model's server, and how long will an answer take? What it said, and what was made of it.

Values only: servers are asked in `providers`, answers are timed and expected in `gateway`.
Invariant: unknown is `None`.
"""

import msgspec


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of one model. `running` and `waiting` are everybody's requests, ours among them.

    `context_tokens` is that of one request as the model is loaded now; `load_ms` how long it took to load, last time.
    """

    slots: int | None = None
    running: int | None = None
    waiting: int | None = None
    loaded: bool | None = None
    context_tokens: int | None = None
    load_ms: float | None = None


class CapacityRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was known of a candidate's capacity when a call was decided, and the parts of its expected latency.

    `requests` are those that run or wait there, ours included, as far as known; `age_s` is how old is what the server
    said. An answer takes `answer_ms` where nothing is before it: before it come `wait_ms` for a slot and `load_ms`.
    """

    slots: int | None = None
    requests: int | None = None
    loaded: bool | None = None
    context_tokens: int | None = None
    age_s: float | None = None
    wait_ms: float | None = None
    load_ms: float | None = None
    answer_ms: float | None = None

    @property
    def latency_ms(self) -> float | None:
        """The expected latency; None where a part that counts is not known."""
        unloaded = self.loaded is False and self.load_ms is None
        if self.answer_ms is None or unloaded:
            return None
        return (self.wait_ms or 0.0) + (self.load_ms or 0.0) + self.answer_ms
