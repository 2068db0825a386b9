"""Does a provider's bill agree with the ledger, to the token? Lines of an export against the attempts on record.

By the provider's names of requests where the export has them, else by model and window. What the ledger cannot know for
sure (an estimate, a call whose process died, one open at the export's edge) is a range, and the bill has to lie in it.
Invariant: every line and every attempt in the export's time is matched, or named in a difference or as open.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from tierwise.core.decision import AttemptRecord, Decision
from tierwise.core.usage import Usage
from tierwise.economics.invoice import MEASURES, NOTHING, Counts, Invoice, Line
from tierwise.economics.price import MOST_OUTPUT_TOKENS

EDGE_S = 5.0
"""How far the clocks of both sides may be apart, or a call be counted late."""
NAMED_MOST = 50
NEAREST = 32
"""How many attempts of the same size, before and behind, are looked at for a line without a known name."""
UNDER_WAY = "it is under way"
COUNTING = "count_tokens"
ZERO = Decimal(0)
_DATED = re.compile(r"[-@]?(20\d\d-?\d\d-?\d\d)$")

Kind = Literal["bypassed", "missing", "usage", "cost"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of the ledger that a provider may bill. `counts` is known, or else between nothing and `most`."""

    decision: str
    names: tuple[str, ...]
    start: float
    end: float
    counts: Counts
    most: Counts | None = None
    upstream_id: str | None = None
    cost_usd: Decimal | None = None
    why: str = ""

    @property
    def low(self) -> Counts:
        """The least that it was."""
        return self.counts if self.most is None else NOTHING

    @property
    def high(self) -> Counts:
        """The most that it was."""
        return self.counts if self.most is None else self.most


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where the two disagree, and by how much: `more` is the provider's side less the ledger's.

    `bypassed`: the provider bills what the ledger does not have. `missing`: the ledger has what is not billed. `usage`:
    they disagree both ways. `cost`: the tokens agree, the money does not. `decisions` are the ledger's calls there.
    """

    kind: Kind
    model: str
    start: float
    end: float
    more: Counts
    more_usd: Decimal | None = None
    request_ids: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt whose share of the bill is not known, why, and the most that can hide in it."""

    decision: str
    why: str
    most: Counts


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, and what it covers: these endpoints in these times (Unix seconds), embeddings or not.

    `agrees`: nothing was billed that the ledger does not have, nor the other way round. `exact`: to the token, nothing
    open. `money` compares amounts where both sides tell them.
    """

    export: str
    by: Literal["request", "window"]
    endpoints: tuple[str, ...]
    embeddings: bool
    spans: tuple[tuple[float, float], ...]
    models: tuple[str, ...]
    complete: bool
    lines: int
    attempts: int
    provider: Counts
    ledger: Counts
    money: Literal["agrees", "differs", "not told"]
    differences: tuple[Difference, ...]
    open: tuple[Open, ...]
    unbilled: int = 0

    @property
    def agrees(self) -> bool:
        """True if every call is on both sides."""
        return self.complete and all(one.kind == "cost" for one in self.differences)

    @property
    def exact(self) -> bool:
        """True if it agrees and no attempt's share is unknown."""
        return self.agrees and not self.open

    def covers(self, endpoint: str, since: float, until: float, *, embeddings: bool = True) -> bool:
        """Say whether the export speaks of all that this endpoint did in this time."""
        within = any(start <= since and until <= end for start, end in self.spans)
        return self.complete and endpoint in self.endpoints and within and (self.embeddings or not embeddings)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Whose attempts are looked at: those on these endpoints. `placed` says for a model's id where it is and what it is
    called there, `attempts` how often one call may be tried."""

    endpoints: tuple[str, ...]
    placed: Mapping[str, tuple[str, str]] = {}
    attempts: int = 1
    embeddings: bool = True


def entries(decisions: Iterable[Decision], asked: Asked) -> Iterator[Entry]:
    """Give the attempts that a provider may bill."""
    for decision in decisions:
        if decision.features.embeddings and not asked.embeddings:
            continue
        for attempt in decision.attempts:
            if attempt.endpoint in asked.endpoints and attempt.wire != COUNTING:
                yield from _entry(decision, attempt, asked)
        if decision.attempts or decision.outcome not in ("interrupted", "pending"):
            continue
        endpoint, served = asked.placed.get(decision.chosen or "", (None, None))
        if endpoint is None or endpoint in asked.endpoints:
            yield Entry(
                decision=decision.id,
                names=_names(served, decision.chosen or decision.requested_model),
                start=decision.ts,
                end=decision.ts,
                counts=NOTHING,
                most=_most(decision, asked.attempts),
                why="its process ended before it was over" if decision.outcome == "interrupted" else UNDER_WAY,
            )


def _entry(decision: Decision, attempt: AttemptRecord, asked: Asked) -> Iterator[Entry]:
    usage = attempt.usage
    if usage is None and attempt.unknown_usd is None:
        return
    sure = usage is not None and not usage.estimated
    yield Entry(
        decision=decision.id,
        names=_names(attempt.served_model, asked.placed.get(attempt.model, (None, None))[1], attempt.model),
        start=attempt.started,
        end=attempt.started + (attempt.duration_ms or 0) / 1000,
        counts=_counted(usage),
        most=None if sure else _most(decision, 1),
        upstream_id=attempt.upstream_id,
        cost_usd=attempt.cost_usd if sure else None,
        why="" if sure else "its usage was estimated" if usage else "it never said what it used",
    )


def _names(*names: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _counted(usage: Usage | None) -> Counts:
    if usage is None:
        return NOTHING
    return Counts(read=usage.read, cache_read=usage.cache_read, written=usage.written, requests=1)


def _most(decision: Decision, attempts: int) -> Counts:
    features = decision.features
    read = (features.input_tokens_est + features.schema_tokens_est) * attempts
    written = 0 if features.embeddings else (features.max_output_tokens or MOST_OUTPUT_TOKENS) * features.n * attempts
    return Counts(read=read, cache_read=read, written=written, requests=attempts)


# comparing


def reconcile(
    invoice: Invoice, found: Sequence[Entry], endpoints: Sequence[str], *,
    spans: tuple[tuple[float, float], ...] | None = None, called: Mapping[str, str] = {},
) -> Reconciliation:  # fmt: skip
    """Hold the export against the attempts on record. `called` gives the export's name of a model that has another."""
    spans = invoice.spans if spans is None else spans
    models = tuple(dict.fromkeys(line.model for line in invoice.lines))
    naming = _Naming(models, called)
    kept = [_at_edge(entry, spans) for entry in found if _touches(entry.start, entry.end, spans)]
    lines = [line for line in invoice.lines if _touches(line.start, line.end, spans, 0.0)]
    bill = _bill(invoice)
    if invoice.by_request:
        tallies = _by_request(lines, kept, naming, bill)
    else:
        tallies = _by_window(invoice, lines, kept, naming, bill)
    found_out = [one for tally in tallies if (one := tally.difference(bill)) is not None]
    differences = tuple(sorted(found_out, key=lambda one: (one.start, one.model, one.kind)))
    unsure = [one for tally in tallies if not tally.exact(bill) for one in tally.entries if one.most is not None]
    return Reconciliation(
        export=invoice.format.name,
        by="request" if invoice.by_request else "window",
        endpoints=tuple(endpoints),
        embeddings=invoice.format.embeddings,
        spans=spans,
        models=models,
        complete=invoice.complete,
        lines=len(lines),
        attempts=sum(len(tally.entries) for tally in tallies),
        provider=_added((line.counts for line in lines), bill.nothing),
        ledger=_added(entry.counts for tally in tallies for entry in tally.entries),
        money=_money(lines, differences),
        differences=differences,
        open=tuple(Open(decision=one.decision, why=one.why, most=one.high) for one in unsure),
        unbilled=invoice.unbilled,
    )


def _money(lines: Sequence[Line], differences: Sequence[Difference]) -> Literal["agrees", "differs", "not told"]:
    if all(line.cost_usd is None for line in lines):
        return "not told"
    return "differs" if any(one.kind == "cost" for one in differences) else "agrees"


class _Naming:
    """Which of the export's models an attempt was on; the attempt's own name where it is none of them."""

    def __init__(self, models: Iterable[str], called: Mapping[str, str]) -> None:
        self._called = dict(called)
        self._exact = {model: model for model in models}
        self._plain = {plain(model): model for model in models}

    def of(self, entry: Entry) -> str:
        """Return the model's name in the export."""
        for name in entry.names:
            if name in self._called:
                return self._called[name]
        for known, spelt in ((self._exact, str), (self._plain, plain)):
            for name in entry.names:
                if (model := known.get(spelt(name))) is not None:
                    return model
        return entry.names[0]


def plain(model: str) -> str:
    """Return a model's name without what vendors vary: a maker's prefix, a variant, a date."""
    return _DATED.sub("", model.lower().rpartition("/")[2].partition(":")[0])


def _touches(start: float, end: float, spans: Sequence[tuple[float, float]], slack_s: float = EDGE_S) -> bool:
    return any(start - slack_s < until and end + slack_s >= since for since, until in _wide(spans))


def _wide(spans: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Give the spans; a single moment has a width."""
    return ((since, until if until > since else until + EDGE_S) for since, until in spans)


def _at_edge(entry: Entry, spans: Sequence[tuple[float, float]]) -> Entry:
    """Return an attempt that may be in the export or before or behind it as one whose share is open."""
    whole = any(since <= entry.start - EDGE_S and entry.end + EDGE_S < until for since, until in spans)
    if whole or entry.most is not None:
        return entry
    inner = any(since <= entry.start and entry.end < until for since, until in spans)
    why = "it was near the edge of the export's time" if inner else "it was open at the edge of the export's time"
    return msgspec.structs.replace(entry, most=entry.counts, why=why)


class _Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What tallies are measured in: nothing, in the measures that the export tells, and the decimals of its amounts."""

    nothing: Counts
    digits: int


def _bill(invoice: Invoice) -> _Bill:
    told = {name: 0 for name in MEASURES if all(getattr(line.counts, name) is not None for line in invoice.lines)}
    return _Bill(nothing=Counts(**told), digits=invoice.digits)


class _Tally:
    """What both sides say of one model in one window."""

    def __init__(self, model: str, start: float, end: float) -> None:
        self.model, self.start, self.end = model, start, end
        self.lines: list[Line] = []
        self.entries: list[Entry] = []

    def joined(self, other: "_Tally") -> "_Tally":
        """Return both as one."""
        both = _Tally(self.model, min(self.start, other.start), max(self.end, other.end))
        both.lines, both.entries = self.lines + other.lines, self.entries + other.entries
        return both

    def ties(self, boundary: float) -> bool:
        """Say whether a call was open at this moment, as far as clocks can tell."""
        return any(one.start - EDGE_S < boundary < one.end + EDGE_S for one in self.entries)

    def exact(self, bill: _Bill) -> bool:
        """Say whether the bill is what the ledger counts to the token, with or without what is open."""
        billed = dict(self._billed(bill).items())
        sums = _added(one.counts for one in self.entries), _added(one.low for one in self.entries)
        return any(billed == {name: getattr(counted, name) for name in billed} for counted in sums)

    def _billed(self, bill: _Bill) -> Counts:
        return _added((line.counts for line in self.lines), bill.nothing)

    def difference(self, bill: _Bill) -> Difference | None:
        """Return where the bill does not lie between the least and the most that the ledger knows of."""
        billed = self._billed(bill)
        low, high = _added(one.low for one in self.entries), _added(one.high for one in self.entries)
        over, under = {}, {}
        for name, value in billed.items():
            over[name], under[name] = max(0, value - getattr(high, name)), max(0, getattr(low, name) - value)
        if not self.exact(bill) and (any(over.values()) or any(under.values())):
            kind: Kind = "usage" if any(over.values()) and any(under.values()) else "bypassed"
            if not any(over.values()):
                kind = "missing"
            return self._told(kind, Counts(**{name: over[name] - under[name] for name in over}))
        return self._dearer(bill)

    def _dearer(self, bill: _Bill) -> Difference | None:
        costs = [line.cost_usd for line in self.lines]
        known = [one.cost_usd for one in self.entries]
        if not costs or None in costs or None in known:
            return None
        more = sum((cost for cost in costs if cost is not None), ZERO) - sum((c for c in known if c is not None), ZERO)
        if abs(more) <= Decimal(1).scaleb(-bill.digits) * len(costs):
            return None
        return self._told("cost", Counts(), more)

    def _told(self, kind: Kind, more: Counts, more_usd: Decimal | None = None) -> Difference:
        return Difference(
            kind=kind, model=self.model, start=self.start, end=self.end, more=more, more_usd=more_usd,
            request_ids=tuple(line.request_id for line in self.lines if line.request_id is not None)[:NAMED_MOST],
            decisions=tuple(dict.fromkeys(one.decision for one in self.entries))[:NAMED_MOST],
            places=tuple(line.place for line in self.lines)[:NAMED_MOST],
        )  # fmt: skip


def _added(counts: Iterable[Counts], total: Counts = NOTHING) -> Counts:
    for one in counts:
        total += one
    return total


def _by_window(
    invoice: Invoice, lines: Sequence[Line], found: Sequence[Entry], naming: _Naming, bill: _Bill
) -> list[_Tally]:
    """Compare window by window. Providers count a call when it began or when it ended: what agrees better is taken."""
    began = _settled(_tallies(invoice, lines, found, naming, ended=False), bill)
    ended = _settled(_tallies(invoice, lines, found, naming, ended=True), bill)
    return min((began, ended), key=lambda tallies: sum(not one.exact(bill) for one in tallies))


def _tallies(
    invoice: Invoice, lines: Sequence[Line], found: Sequence[Entry], naming: _Naming, *, ended: bool
) -> list[_Tally]:
    tallies: dict[tuple[str, float, float], _Tally] = {}
    for line in lines:
        key = (line.model, line.start, line.end)
        tallies.setdefault(key, _Tally(*key)).lines.append(line)
    starts = [start for start, _ in invoice.windows]
    for entry in found:
        key = (naming.of(entry), *_window_of(invoice, starts, entry.end if ended else entry.start))
        tallies.setdefault(key, _Tally(*key)).entries.append(entry)
    return sorted(tallies.values(), key=lambda one: (one.model, one.start))


def _window_of(invoice: Invoice, starts: Sequence[float], moment: float) -> tuple[float, float]:
    """Return the window in which a moment lies, or the nearest: only what touches the export's time is asked for."""
    at = max(0, bisect_right(starts, moment) - 1)
    start, end = invoice.windows[at]
    if invoice.width_s and not start <= moment < end and invoice.spans[0][0] <= moment < invoice.spans[-1][1]:
        start = moment // invoice.width_s * invoice.width_s
        return start, start + invoice.width_s
    return start, end


def _settled(tallies: Sequence[_Tally], bill: _Bill) -> list[_Tally]:
    """Join neighbours that both disagree and share a call that was open between them."""
    settled: list[_Tally] = []
    for tally in tallies:
        last = settled[-1] if settled else tally
        near = last.model == tally.model and last.end == tally.start and (last.ties(last.end) or tally.ties(last.end))
        if near and last.difference(bill) is not None and tally.difference(bill) is not None:
            settled[-1] = last.joined(tally)
        else:
            settled.append(tally)
    return settled


def _by_request(lines: Sequence[Line], found: Sequence[Entry], naming: _Naming, bill: _Bill) -> list[_Tally]:
    """Compare request by request. What has no name on our side is found by its model, tokens and time.

    Where not one name is on both sides, the export's are of another kind, and ours say nothing.
    """
    billed = {line.request_id for line in lines}
    of_one_kind = any(entry.upstream_id in billed for entry in found)
    named: dict[str, list[Entry]] = defaultdict(list)
    nameless = _Nameless(bill)
    for entry in sorted(found, key=lambda one: one.start):
        if of_one_kind and entry.upstream_id is not None:
            named[entry.upstream_id].append(entry)
        else:
            nameless.add(naming.of(entry), entry)
    tallies = []
    for line in sorted(lines, key=lambda one: one.start):
        tally = _Tally(line.model, line.start, line.end)
        tally.lines, tally.entries = [line], named.pop(line.request_id or "", []) or nameless.take(line)
        tallies.append(tally)
    for entry in (*(one for rest in named.values() for one in rest), *nameless.rest()):
        tally = _Tally(naming.of(entry), entry.start, entry.end)
        tally.entries.append(entry)
        tallies.append(tally)
    return tallies


class _Nameless:
    """Attempts without a name that the export knows, by what they were; added in the order of their times."""

    def __init__(self, bill: _Bill) -> None:
        self._bill = bill
        self._known: dict[tuple[str, tuple[int, ...]], list[Entry]] = defaultdict(list)
        self._open: dict[str, list[Entry]] = defaultdict(list)

    def _key(self, model: str, counts: Counts) -> tuple[str, tuple[int, ...]]:
        return model, tuple(getattr(counts, name) for name, _ in self._bill.nothing.items())

    def add(self, model: str, entry: Entry) -> None:
        """Put one in."""
        (self._known[self._key(model, entry.counts)] if entry.most is None else self._open[model]).append(entry)

    def take(self, line: Line) -> list[Entry]:
        """Take out the one that this line fits, if there is one; those that are known exactly first."""
        known = self._known.get(self._key(line.model, line.counts), [])
        at = bisect_right(known, line.start, key=lambda one: one.start)
        near = range(max(0, at - NEAREST), min(len(known), at + NEAREST))
        for place in sorted(near, key=lambda place: abs(known[place].start - line.start)):
            if _meet(line, known[place]):
                return [known.pop(place)]
        for place, entry in enumerate(self._open[line.model]):
            alone = _Tally(line.model, line.start, line.end)
            alone.lines, alone.entries = [line], [entry]
            told = alone.difference(self._bill)
            if _meet(line, entry) and (told is None or told.kind == "cost"):
                return [self._open[line.model].pop(place)]
        return []

    def rest(self) -> Iterator[Entry]:
        """Give what nobody took."""
        return (one for left in (*self._known.values(), *self._open.values()) for one in left)


def _meet(line: Line, entry: Entry) -> bool:
    return entry.start - EDGE_S <= line.end and line.start <= entry.end + EDGE_S
