"""From which confidence on is an answer kept, and what does a confidence mean? Values of a fitted cascade.

Confidence is a sum of natural log-probabilities over the answer's leaf values (at most 0).
Invariant: a threshold states what it was fitted on; `None` means that no threshold met the aim.
"""

import msgspec


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Two-parameter logistic from the answer's log-probability to the probability of being right."""

    slope: float
    intercept: float
    n: int
    on: str = "logit"


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """Keep an answer whose log-probability is at least `logprob`; fitted on `n` rows to aim at `target` right."""

    logprob: float | None
    target: float
    n: int
