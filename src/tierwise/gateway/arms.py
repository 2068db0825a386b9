"""Does the canary do worse than it may? Counts what became of both arms, and reads bounds that hold at every look.

Pure, and a function of the ledger alone: each gateway that reads the same records comes to the same conclusion, also
after a restart. A unit counts once: turns of one session are not independent of each other.
Invariant: a canary that does no worse than its margin is stopped with a chance of at most 1 - confidence, whenever and
however often one looks; the same holds for the word that its promotion is proven.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Literal

import msgspec

from tierwise.core.decision import Decision
from tierwise.core.errors import Verdict
from tierwise.core.rollout import RolloutRecord
from tierwise.gateway.overlay import Limits
from tierwise.ledger.remarks import Remark
from tierwise.statistics.sequence import Mean
from tierwise.statistics.two import apart

MAX_UNITS = 200_000
"""Sessions that are remembered, about 30 MB; one that is forgotten may count again."""
Measure = Literal["failed", "judged", "slow", "dear"]
PROVING: tuple[Measure, ...] = ("failed", "judged")
State = Literal["harmful", "proven", "open"]
_SERVED = ("answered", "review", "flagged", "failed", "broken")


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """How often each arm was bad by one measure, and the bounds of the canary's share less the stable one's."""

    measure: Measure
    canary: Mean
    stable: Mean
    low: float
    high: float


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """`harmful`: by one measure at least the canary is shown to be worse than the margin, which `why` tells.

    `proven`: by those of failures, and of judgements where there are any, it is shown to be no worse than that.
    """

    state: State
    compared: tuple[Compared, ...]
    why: str = ""


def bad(decision: Decision, limits: Limits) -> dict[Measure, float]:
    """Return by which measures a call was bad (1) or not (0); empty for one that says nothing of a model.

    A call failed where the model that was asked first did not give the answer.
    """
    if decision.outcome not in _SERVED or not decision.attempts:
        return {}
    first, last = decision.attempts[0], decision.attempts[-1]
    gated = last.gate is not None and last.gate.verdict == "fail"
    well = decision.outcome in ("answered", "review") and last.model == first.model and not gated
    found: dict[Measure, float] = {"failed": float(not (well and last.verdict == Verdict.OK))}
    took_ms = [attempt.duration_ms for attempt in decision.attempts]
    if limits.latency_ms is not None and all(one is not None for one in took_ms):
        found["slow"] = float(sum(one or 0.0 for one in took_ms) > limits.latency_ms)
    if limits.cost_usd is not None and decision.charged_usd is not None:
        found["dear"] = float(decision.charged_usd > limits.cost_usd)
    return found


class Arms:
    """What is known of both arms of one release. `last_seq` is the last record that was counted."""

    def __init__(self, release: int, limits: Limits) -> None:
        self.release, self._limits = release, limits
        self.last_seq = self.calls = 0
        self._means: dict[tuple[Measure, str], Mean] = {}
        self._counted: OrderedDict[tuple[str, str], None] = OrderedDict()

    def add(self, decision: Decision) -> None:
        """Count a record, in the order of the ledger; one of another release, or that was not drawn, counts not."""
        self.last_seq = decision.seq or self.last_seq
        drawn = self._drawn(decision)
        if drawn is None or drawn.held:
            return
        found = bad(decision, self._limits)
        if found and self._once("call", drawn, decision):
            self.calls += 1
            for measure, value in found.items():
                self._count(measure, drawn.arm, value)

    def hear(self, said: Remark, decision: Decision) -> None:
        """Count what was said of a call first; what is said of the same unit later counts not.

        Nor does what is said of a call that no model was heard in, or of a session that was never drawn.
        """
        drawn = self._drawn(decision)
        if drawn is None or not bad(decision, self._limits):
            return
        if drawn.held and ("call", drawn.unit) not in self._counted:
            return
        if self._once("said", drawn, decision):
            self._count("judged", drawn.arm, 1 - said.score)

    def conclusion(self) -> Conclusion:
        """Say what is shown by now."""
        compared = tuple(self._compared())
        limits = self._limits
        worse = [one for one in compared if one.low > limits.margin]
        if worse:
            why = "; ".join(map(told, worse))
            return Conclusion(
                state="harmful", compared=compared, why=f"{why}, more than the margin of {limits.margin:g}"
            )
        proving = [one for one in compared if one.measure in PROVING and (one.measure == "failed" or one.canary.n)]
        proven = bool(proving) and all(one.high < limits.margin for one in proving)
        return Conclusion(state="proven" if proven else "open", compared=compared)

    def _compared(self) -> Iterator[Compared]:
        """Compare by each measure; what is allowed to be wrong is shared among them."""
        measures: list[Measure] = ["failed", "judged"]
        measures += ["slow"] if self._limits.latency_ms is not None else []
        measures += ["dear"] if self._limits.cost_usd is not None else []
        confidence = 1 - (1 - self._limits.confidence) / len(measures)
        for measure in measures:
            canary, stable = (self._means.get((measure, arm), Mean()) for arm in ("canary", "stable"))
            low, high = apart(canary, stable, confidence)
            yield Compared(measure=measure, canary=canary, stable=stable, low=low, high=high)

    def _drawn(self, decision: Decision) -> RolloutRecord | None:
        drawn = decision.rollout or None
        return drawn if drawn and drawn.release == self.release and drawn.arm != "shadow" else None

    def _once(self, what: str, drawn: RolloutRecord, decision: Decision) -> bool:
        """Say whether the unit counts now for the first time; a call without a session is a unit of its own."""
        place = (what, drawn.unit if decision.session is not None else decision.id)
        if place in self._counted:
            return False
        if decision.session is not None or what == "said":
            self._counted[place] = None
            if len(self._counted) > MAX_UNITS:
                self._counted.popitem(last=False)
        return True

    def _count(self, measure: Measure, arm: str, value: float) -> None:
        self._means[measure, arm] = self._means.get((measure, arm), Mean()).add(value)


def told(one: Compared) -> str:
    """Say a comparison in words."""
    canary, stable = (f"{mean.total:g} of {mean.n}" for mean in (one.canary, one.stable))
    return f"{one.measure}: {canary} against {stable}, at least {one.low:+.3f}"
