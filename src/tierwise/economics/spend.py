"""What was spent, on what, and what would the same traffic have cost elsewhere? Sums over decision records.

Knows no configuration: what else could have served is handed in, with its price on the day of each call.
Invariant: every record counts once in each view, so all views add up to the same; what a call cost that never said so
is a bound beside the sum, never in it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal, get_args

import msgspec

from tierwise.core.criteria import Criteria
from tierwise.core.decision import Decision
from tierwise.core.usage import Price, Usage
from tierwise.economics.given import ZERO
from tierwise.economics.price import cost_usd

View = Literal["workflow", "tier", "key", "day"]
VIEWS: tuple[View, ...] = get_args(View)
NOBODY = "–"
FEWEST_DAYS = 7
SURE = Decimal("1.96")
"""Standard deviations on each side that hold 95 of 100 days, were days alike and independent."""
Elsewhere = Mapping[str, Callable[[float], Price | None]]
"""For each model that could have served: its price at a Unix time."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One name of a view. `unknown_usd` is at most what calls cost that never said so; `unmetered` had no price.

    `own_usd` is the cost of machines of one's own, which is no money that was sent. `accepted` were answered, or found
    right by the person who was to look. `review_usd` is the time of those who did, `wrong_usd` what the `wrong` ones of
    the `judged` cost, both by the workflow's criteria; `untimed` reviews never said how long they took.
    `elsewhere_usd`: what the answered calls' tokens would have cost at each model whose price is known for all of them.
    """

    name: str
    calls: int
    accepted: int
    read: int
    written: int
    cost_usd: Decimal
    unknown_usd: Decimal
    unmetered: int
    own_usd: Decimal = ZERO
    review_usd: Decimal = ZERO
    untimed: int = 0
    judged: int = 0
    wrong: int = 0
    wrong_usd: Decimal = ZERO
    elsewhere_usd: dict[str, Decimal] = {}

    @property
    def priced(self) -> bool:
        """True where the cost of anything is known, or nothing was used that could cost."""
        return bool(self.cost_usd or self.own_usd or self.unknown_usd) or not self.unmetered

    @property
    def accepted_usd(self) -> Decimal | None:
        """What one accepted call cost, with all that was spent on those that were not; None where none was, or nobody
        knows what any cost.

        (all attempts + own machines + reviews) / accepted + what an error costs, as often as those judged were wrong.
        """
        if not self.accepted or not self.priced:
            return None
        errors = self.wrong_usd / self.judged if self.judged else ZERO
        return (self.cost_usd + self.own_usd + self.review_usd) / self.accepted + errors


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The coming days, were they like those seen: `days` were seen; the range holds 95 times in 100."""

    ahead: int
    days: int
    usd: Decimal
    low_usd: Decimal
    high_usd: Decimal


class Spending:
    """Adds up records, one after the other, in every view at once."""

    def __init__(self, elsewhere: Elsewhere, criteria: Mapping[str, Criteria] = {}) -> None:
        self._elsewhere, self._criteria = elsewhere, criteria
        self._sums: dict[tuple[View | None, str], Sum] = {}
        self.mix = Usage()

    def add(self, decision: Decision) -> None:
        """Count one record; dry runs asked nobody and count nowhere."""
        if decision.outcome == "dry_run":
            return
        usage = served(decision)
        if usage is not None:
            self.mix = both(self.mix, usage)
        would = would_cost(decision, self._elsewhere)
        said = said_of(decision, self._criteria.get(decision.workflow or "", Criteria()))
        for key in ((None, ""), *((view, name_in(view, decision)) for view in VIEWS)):
            self._sums.setdefault(key, Sum()).add(decision, would, said)

    def whole(self) -> Line:
        """Return the sum of everything."""
        return self._sums.get((None, ""), Sum()).line("all")

    def lines(self, view: View) -> tuple[Line, ...]:
        """Return a view: days in their order, all else with the dearest first."""
        return in_order(view, (one.line(name) for (of, name), one in self._sums.items() if of == view))


def in_order(view: View, lines: Iterable[Line]) -> tuple[Line, ...]:
    """Put the lines of a view in their order."""
    if view == "day":
        return tuple(sorted(lines, key=lambda line: line.name))
    return tuple(sorted(lines, key=lambda line: (-line.cost_usd, -line.calls, line.name)))


class Sum:
    """What one name of a view has come to."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.calls = self.accepted = self.read = self.written = self.unmetered = 0
        self.cost = self.unknown = self.own = self.review = self.wrong_usd = ZERO
        self.untimed = self.judged = self.wrong = 0
        self.elsewhere: dict[str, Decimal | None] = {}

    def add(self, decision: Decision, would: Mapping[str, Decimal | None], said: "Said") -> None:
        """Count a record, with what it would have cost elsewhere and what was said of it."""
        self.calls += 1
        self.accepted += said.accepted
        self.review += said.review_usd
        self.untimed += said.untimed
        self.judged += said.wrong_usd is not None
        self.wrong += said.wrong
        self.wrong_usd += said.wrong_usd or ZERO
        self.cost += decision.total_cost_usd or ZERO
        for attempt in decision.attempts:
            self.unknown += attempt.unknown_usd or ZERO
            self.unmetered += attempt.usage is not None and attempt.cost_usd is None and not attempt.own_usd
            self.own += attempt.own_usd or ZERO
            self.read += attempt.usage.read if attempt.usage else 0
            self.written += attempt.usage.written if attempt.usage else 0
        for name, usd in would.items():
            before = self.elsewhere.get(name, ZERO)
            self.elsewhere[name] = None if usd is None or before is None else before + usd

    def line(self, name: str) -> Line:
        """Return what it has come to so far."""
        return Line(
            name=name, calls=self.calls, accepted=self.accepted, read=self.read, written=self.written,
            cost_usd=self.cost, unknown_usd=self.unknown, unmetered=self.unmetered,
            own_usd=self.own, review_usd=self.review, untimed=self.untimed,
            judged=self.judged, wrong=self.wrong, wrong_usd=self.wrong_usd,
            elsewhere_usd={model: usd for model, usd in self.elsewhere.items() if usd is not None},
        )  # fmt: skip


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a call, and what people said of it. `wrong_usd` is None where nobody judged what was accepted."""

    accepted: bool
    review_usd: Decimal = ZERO
    untimed: bool = False
    wrong: bool = False
    wrong_usd: Decimal | None = None


def said_of(decision: Decision, by: Criteria) -> Said:
    """Return what became of a call, by a workflow's criteria."""
    review = decision.review if decision.review and decision.review.get("state") == "done" else None
    judgement = review or decision.feedback
    right = None if judgement is None else judgement["score"] >= by.right_from
    accepted = decision.outcome == "answered" or (decision.outcome == "review" and review is not None and right is True)
    seconds = None if review is None else review.get("seconds")
    wrong = accepted and right is False
    return Said(
        accepted=accepted,
        review_usd=ZERO if seconds is None else Decimal(str(seconds)) * by.review_usd_per_hour / 3600,
        untimed=review is not None and seconds is None,
        wrong=wrong,
        wrong_usd=by.error_cost_usd * wrong if accepted and right is not None else None,
    )


def whole_days(lines: Sequence[Line]) -> list[Decimal]:
    """Return what each day between the first and the last cost, quiet ones too; those two may not be whole."""
    known = {date.fromisoformat(line.name): line.cost_usd for line in lines}
    if not known:
        return []
    first, last = min(known), max(known)
    return [known.get(first + timedelta(days=at), ZERO) for at in range(1, (last - first).days)]


def forecast(days: Sequence[Decimal], ahead: int = 30) -> Forecast | None:
    """Extrapolate whole days of spending; None for fewer than a week of them.

    The range is that of a sum of days around a mean that is itself uncertain; a trend or a season is not seen.
    """
    if len(days) < FEWEST_DAYS:
        return None
    count = len(days)
    mean = sum(days, ZERO) / count
    variance = sum(((day - mean) ** 2 for day in days), ZERO) / (count - 1)
    half = SURE * (variance * (ahead + Decimal(ahead) ** 2 / count)).sqrt()
    return Forecast(
        ahead=ahead, days=count, usd=mean * ahead, low_usd=max(ZERO, mean * ahead - half), high_usd=mean * ahead + half
    )


def would_cost(decision: Decision, elsewhere: Elsewhere) -> dict[str, Decimal | None]:
    """Return what the answered call's tokens would have cost at each model, None where it has no price for that day."""
    usage = served(decision)
    return {} if usage is None else {name: _at(price, decision, usage) for name, price in elsewhere.items()}


def served(decision: Decision) -> Usage | None:
    """Return the tokens of the last attempt that has any, of a call whose answer another model could have given."""
    if decision.features.embeddings:
        return None
    return next((one.usage for one in reversed(decision.attempts) if one.usage is not None), None)


def _at(price: Callable[[float], Price | None], decision: Decision, usage: Usage) -> Decimal | None:
    found = price(decision.ts)
    return None if found is None else cost_usd(found, usage)


def both(one: Usage, other: Usage) -> Usage:
    """Add up the text of both; what is sound and pictures counts as text here."""
    return Usage(
        input=one.input + other.fresh,
        cache_read=one.cache_read + other.cache_read,
        cache_write=one.cache_write + other.cache_write,
        cache_write_1h=one.cache_write_1h + other.cache_write_1h,
        output=one.output + other.written - other.reasoning,
        reasoning=one.reasoning + other.reasoning,
    )


def name_in(view: View, decision: Decision) -> str:
    """Return the name under which a record counts in a view."""
    match view:
        case "workflow":
            return decision.workflow or NOBODY
        case "key":
            return decision.key_id or NOBODY
        case "tier":
            return decision.attempts[-1].tier.value if decision.attempts else NOBODY
        case "day":
            return datetime.fromtimestamp(decision.ts, UTC).date().isoformat()
