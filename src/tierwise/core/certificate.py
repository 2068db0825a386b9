"""What was proven of a bundle, on what, until when? JSON by digest under `TIERWISE_HOME/certificates/`.

Invariant: a certificate says which guarantee it states, and holds for its bundle alone: any other bundle, or any day
after `expires`, makes it void.
"""

import hashlib

import msgspec

from tierwise.core.bundle import Bundle
from tierwise.core.criteria import Guarantee


class Accepts(msgspec.Struct, frozen=True, kw_only=True):
    """From which confidence on an answer of `model` is accepted, and what was seen of accepted ones.

    `signal` is what the confidence is: the answer's log-probability, the agreement of samples, a verifier's score.
    `threshold` None accepts nothing. `wrong` of `accepted` were wrong among `n`, on rows that no threshold was tuned
    on; `bound` is the upper confidence bound of the share that the guarantee names.
    """

    model: str
    threshold: float | None
    signal: str = "logprob"
    n: int = 0
    accepted: int = 0
    wrong: int = 0
    bound: float | None = None


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """A model's mean score and the baseline's, and their mean difference where both answered; None where none did.

    `low` and `high` are the interval of the difference over all `n` items, what is missing at its worst and its best.
    """

    model: str
    score: float | None
    baseline_score: float | None
    difference: float | None
    low: float
    high: float
    n: int

    @property
    def relative(self) -> float | None:
        """Return the least quality relative to the baseline's that the interval allows, 0 to 1; None without one."""
        if self.baseline_score is None or self.baseline_score <= 0:
            return None
        return min(1.0, max(0.0, 1 + self.low / self.baseline_score))


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """`max_wrong` is promised with `confidence`. Times are Unix seconds; `evidence` and `dataset` are digests.

    `baseline` is the model that quality is measured against. `accepts` are the steps of a cascade in the order in which
    they are asked; each was proven on what the ones before it passed on, and a single model is a cascade of one.
    `reference` is how the confidences of accepted answers lay when it was issued (sorted, at most 200), which drift is
    measured against.
    """

    workflow: str
    bundle: Bundle
    guarantee: Guarantee
    max_wrong: float
    confidence: float
    accepts: tuple[Accepts, ...]
    quality: tuple[Quality, ...]
    issued: float
    expires: float
    evidence: str
    dataset: str
    clusters: int
    baseline: str = ""
    reference: dict[str, tuple[float, ...]] = {}

    @property
    def digest(self) -> str:
        """Return the certificate's name: that of what would be read back (a whole number may stand for a float)."""
        read = msgspec.json.decode(msgspec.json.encode(self), type=Certificate)
        return "sha256:" + hashlib.sha256(msgspec.json.encode(read, order="deterministic")).hexdigest()
