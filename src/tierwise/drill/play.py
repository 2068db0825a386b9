"""What comes of each call, one after the other? The recorded arrivals once more, through decisions, queues and gates.

A discrete-event simulation in whole microseconds: a call is decided when it comes, waits for its turn at an endpoint,
is answered, fails or is withheld as on record, and goes on as the gateway would.
Invariant: the same traffic, rules and scenario give the same outcomes, in the same order, on every machine.
"""

import heapq
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from tierwise.core.decision import Outcome
from tierwise.core.errors import InvalidCall
from tierwise.drill.answers import Answer, Answers, draw
from tierwise.drill.deciding import Deciding, Evidence, Way, grant_of, most_tokens, reserve
from tierwise.drill.scenario import Setting
from tierwise.drill.traffic import US_PER_MS, US_PER_S, Call, Traffic
from tierwise.drill.waiting import Line, recovered
from tierwise.economics.budget import Account
from tierwise.economics.limits import Admission, Limits, Wait
from tierwise.economics.price import cost_usd
from tierwise.gateway.decide import Hop
from tierwise.gateway.facts import Facts

NEAR, NEAR_US = 100, 1800 * US_PER_S
"""A copy of a call comes within so many calls and so long before or after it, so that a busy time stays one. Nearer,
and chance crowds would draw more copies: calls would wait as they never do."""
MOST_CALLS = 5_000_000
ZERO = Decimal(0)


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one call. `at` is its place in the traffic, `copy` 0 for the call itself; None: not known."""

    at: int
    copy: int
    outcome: Outcome
    asked: tuple[str, ...] = ()
    model: str | None = None
    cost_usd: Decimal = ZERO
    unmetered: bool = False
    estimated: bool = False
    waited_us: int = 0
    took_us: int | None = None
    evidence: Evidence = "none"
    quality: float | None = None
    cause: str = ""
    by: tuple[tuple[str, str], ...] = ()
    reason: str = ""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """One run: what came of the calls, in their order, what the endpoints did, and how long all of it lasted."""

    came: tuple[Came, ...]
    lines: dict[str, Line]
    asked: dict[str, int]
    lasted_us: int


class _Passage:
    """A call on its way."""

    __slots__ = (
        "admission", "answer", "asked", "at", "came_us", "copy", "cost", "estimated", "ident", "known", "late", "left",
        "made", "place", "reserved", "unmetered", "used", "waited", "way", "withheld",
    )  # fmt: skip

    def __init__(self, at: int, copy: int, ident: str, came_us: int) -> None:
        self.at, self.copy, self.ident, self.came_us = at, copy, ident, came_us
        self.way = Way()
        self.admission: Admission | None = None
        self.place = self.made = self.waited = self.used = 0
        self.asked: list[str] = []
        self.left: dict[str, list[int]] = {}
        self.cost = self.reserved = ZERO
        self.answer: Answer | None = None
        self.withheld: str | None = None
        self.known, self.unmetered, self.estimated, self.late = True, False, False, False


def play(traffic: Traffic, setting: Setting) -> Played:
    """Play the traffic once more, at the times at which it came."""
    return _Run(traffic, setting).played()


class _Run:
    def __init__(self, traffic: Traffic, setting: Setting) -> None:
        self._traffic, self._rules = traffic, setting.rules
        self._answers = Answers(traffic, recovered(traffic.calls, setting.recorded_slots), setting.takes_us)
        self._passages = list(_passages(traffic, setting.growth))
        start = min((one.came_us for one in self._passages), default=0) / US_PER_S
        accounts = [Account(one, spent=ZERO, now=start) for one in setting.rules.budgets]
        facts = Facts(setting.rules.breaker, accounts)
        said_ms = {model: takes / US_PER_MS for model, takes in setting.takes_us.items()}
        for model, mean_ms in (self._answers.mean_ms() | said_ms).items():
            facts.live.answered(model, None, "free", 0, 0, mean_ms)
        self._decide, self._live, self._limits = Deciding(setting.rules, facts), facts.live, Limits(setting.limits)
        self._lines = {name: Line(setting.slots.get(name)) for name in setting.rules.catalog.endpoints}
        self._asked = dict.fromkeys(self._lines, 0)
        self._came: dict[int, Came] = {}
        self._events: list[tuple[int, int, int, Literal["came", "try", "end"]]] = []
        self._pushed = 0

    def played(self) -> Played:
        for number, passage in enumerate(self._passages):
            self._push(passage.came_us, number, "came")
        begun, now = min((one.came_us for one in self._passages), default=0), 0
        while self._events:
            now, _, number, what = heapq.heappop(self._events)
            match what:
                case "came":
                    self._arrive(now, number)
                case "try":
                    self._try(now, number)
                case "end":
                    self._end(now, number)
        came = tuple(self._came[number] for number in range(len(self._passages)))
        return Played(came=came, lines=self._lines, asked=self._asked, lasted_us=max(0, now - begun))

    def _push(self, at_us: int, number: int, what: Literal["came", "try", "end"]) -> None:
        self._pushed += 1
        heapq.heappush(self._events, (at_us, self._pushed, number, what))

    def _arrive(self, now: int, number: int) -> None:
        passage = self._passages[number]
        call = self._traffic.calls[passage.at]
        kind = self._traffic.kinds[call.kind]
        passage.way = self._decide(passage.ident, kind, call, now)
        admitted = self._limits.admit(grant_of(kind), most_tokens(kind, call), now / US_PER_S)
        if isinstance(admitted, Wait):
            reason = f"the limit of {admitted.most} {admitted.what} (set for {admitted.scope}) is reached"
            passage.way = Way(cause="rate_limit", reason=reason)
        else:
            passage.admission = admitted
        for place, one in enumerate(call.tries):
            passage.left.setdefault(one.model, []).append(place)
        if passage.way.hops:
            self._try(now, number)
        else:
            self._finish(now, number, "refused")

    def _hop(self, passage: _Passage) -> Hop:
        return passage.way.hops[passage.place]

    def _try(self, now: int, number: int) -> None:
        passage = self._passages[number]
        hop = self._hop(passage)
        if not reserve(passage.way.accounts, hop.reserve_usd, now / US_PER_S):
            passage.answer = Answer(ended="failed", takes_us=0, first_us=0, usage=None, source="unknown")
            self._go_on(now, number)
            return
        passage.reserved = hop.reserve_usd
        self._live.began(hop.model.id, hop.endpoint.slots, 0.0)
        passage.made += 1
        passage.asked.append(hop.model.id)
        self._asked[hop.endpoint.name] += 1
        recorded = passage.left.get(hop.model.id)
        if recorded:
            answer = self._answers.recorded(passage.at, recorded.pop(0))
        else:
            answer = self._answers.drawn(passage.ident, passage.at, hop.model.id, passage.way.certificate)
        line, most = self._lines[hop.endpoint.name], round(hop.endpoint.limits.first_byte_timeout_s * US_PER_S)
        wait, end, takes = line.wait_us(now), now, answer.takes_us
        if takes is None:
            passage.known = False
        elif wait and wait + answer.first_us > most:
            answer = Answer(ended="failed", takes_us=most, first_us=most, usage=None, source="record")
            passage.waited, end, passage.late = passage.waited + most, now + most, True
        else:
            passage.waited, end = passage.waited + wait, line.take(now, takes)
        passage.answer = answer
        self._push(end, number, "end")

    def _end(self, now: int, number: int) -> None:
        passage = self._passages[number]
        hop, answer = self._hop(passage), passage.answer
        if answer is None:
            raise TypeError("an attempt ended that never began")
        self._live.ended(hop.model.id)
        cost = ZERO
        if answer.usage is not None:
            passage.used += answer.usage.read + answer.usage.written
            passage.unmetered = passage.unmetered or hop.model.price is None
            passage.estimated = passage.estimated or answer.estimated
            cost = ZERO if hop.model.price is None else cost_usd(hop.model.price, answer.usage)
        passage.cost += cost
        for account in passage.way.accounts:
            account.settle(passage.reserved, cost, now / US_PER_S)
        match answer.ended:
            case "answered":
                self._finish(now, number, "answered", hop.model.id)
            case "left":
                self._finish(now, number, "cancelled", hop.model.id)
            case "stopped":
                self._finish(now, number, "failed")
            case "gate":
                passage.withheld = hop.model.id
                self._go_on(now, number)
            case "failed":
                self._go_on(now, number)

    def _go_on(self, now: int, number: int) -> None:
        """Try again as on record, or the next, or end as the gateway ends."""
        passage = self._passages[number]
        again = bool(passage.left.get(self._hop(passage).model.id))
        place = passage.place if again else passage.place + 1
        if passage.made < self._rules.fallback.max_attempts and place < len(passage.way.hops):
            passage.place = place
            self._push(now + self._pause_us(passage), number, "try")
        else:
            self._exhausted(now, number)

    def _pause_us(self, passage: _Passage) -> int:
        """Return how long the record waited before the attempt that comes now, where it made that next too."""
        tries, left = self._traffic.calls[passage.at].tries, passage.left.get(self._hop(passage).model.id)
        if not left or not left[0] or passage.asked[-1:] != [tries[left[0] - 1].model]:
            return 0
        before = tries[left[0] - 1]
        return max(0, tries[left[0]].starts_us - before.starts_us - (before.took_us or 0))

    def _exhausted(self, now: int, number: int) -> None:
        passage = self._passages[number]
        how = passage.way.workflow.on_gate_failure if passage.way.workflow and passage.withheld else "fail"
        outcome: Outcome = "flagged" if how == "flag" else "review" if how == "review" else "failed"
        self._finish(now, number, outcome, passage.withheld if how == "flag" else None)

    def _finish(self, now: int, number: int, outcome: Outcome, model: str | None = None) -> None:
        passage = self._passages[number]
        if passage.admission is not None:
            self._limits.settle(passage.admission, passage.used, now / US_PER_S)
        way, accepted = passage.way, outcome == "answered" and model is not None
        cause, reason = way.cause, way.reason
        if outcome in ("failed", "review", "flagged"):
            cause, reason = _failed(passage)
        self._came[number] = Came(
            at=passage.at,
            copy=passage.copy,
            outcome=outcome,
            asked=tuple(passage.asked),
            model=model,
            cost_usd=passage.cost,
            unmetered=passage.unmetered,
            estimated=passage.estimated,
            waited_us=passage.waited,
            took_us=now - passage.came_us if passage.known and passage.asked else None,
            evidence=way.evidence(model, tuple(passage.asked)) if accepted and model else "none",
            quality=way.qualities.get(model) if accepted and model else None,
            cause=cause,
            by=way.by,
            reason=reason,
        )


def _failed(passage: _Passage) -> tuple[str, str]:
    if passage.withheld is not None:
        return "gate", "no answer was good enough"
    if passage.answer is not None and passage.answer.ended == "stopped":
        return "stopped", "the endpoint ended it, as on record"
    if passage.late:
        return "too_long", "it waited longer for its turn than the endpoint's first_byte_timeout_s"
    return (
        ("attempts", "every attempt failed, as on record") if passage.asked else ("budget", "no money was left for it")
    )


def _passages(traffic: Traffic, growth: Decimal) -> Iterator[_Passage]:
    """Give each call as often as traffic grows: whole times, and once more with the chance of the rest."""
    if growth * len(traffic.calls) > MOST_CALLS:
        raise InvalidCall(f"--growth {growth}x makes more than {MOST_CALLS:,} calls of these", param="--growth")
    whole, rest = int(growth), float(growth % 1)
    for at, call in enumerate(traffic.calls):
        for copy in range(whole + (draw(call.id, "grows") < rest)):
            ident = f"{call.id}+{copy}" if copy else call.id
            yield _Passage(at, copy, ident, _near(traffic.calls, at, ident) if copy else call.at_us)


def _near(calls: Sequence[Call], at: int, ident: str) -> int:
    """Return when a copy of a call comes: any moment of the time around it is as likely, whoever else comes then."""
    middle = calls[at].at_us
    begins = max(calls[max(0, at - NEAR)].at_us, middle - NEAR_US)
    ends = min(calls[min(at + NEAR, len(calls) - 1)].at_us, middle + NEAR_US)
    return begins + int(draw(ident, "comes") * (ends - begins))
