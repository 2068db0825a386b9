"""Whatever is left out on either side is found exactly, and what nobody can know is named as open, not as agreement."""

from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.samples import a_decision, an_intent
from tierwise.cli.reconcile import formats
from tierwise.core.call import Features
from tierwise.core.decision import AttemptRecord
from tierwise.core.label import Tier
from tierwise.core.usage import Usage
from tierwise.economics.invoice import NOTHING, Counts, Invoice, read
from tierwise.economics.reconcile import Asked, Entry, Reconciliation, entries, plain, reconcile

DAY = 1_793_491_200.0  # 2026-11-01T00:00:00Z
FORMATS = formats()
MODELS = ("big", "small")


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One call, as it happened."""

    number: int
    model: str = "big"
    day: int = 0
    second: float = 40_000.0
    took_s: float = 1.0
    read: int = 10
    cached: int = 0
    written: int = 5

    @property
    def ident(self) -> str:
        return f"call-{self.number}"

    @property
    def start(self) -> float:
        return DAY + self.day * 86_400 + self.second

    @property
    def usd(self) -> Decimal:
        return Decimal(self.read + 5 * self.written) / 1_000_000

    def entry(self, **changes: Any) -> Entry:
        """The ledger's side of it."""
        return msgspec.structs.replace(
            Entry(
                decision=f"d{self.number}", names=(self.model,), start=self.start, end=self.start + self.took_s,
                counts=Counts(read=self.read, cache_read=self.cached, written=self.written, requests=1),
                upstream_id=self.ident, cost_usd=self.usd,
            ),
            **changes,
        )  # fmt: skip


def by_day(made: list[Made], *, requests: bool = True, days: int = 3) -> Invoice:
    """The provider's side, added up by model and UTC day of the end."""
    sums: dict[tuple[int, str], Counter[str]] = {(day, model): Counter() for day in range(days) for model in MODELS}
    for one in made:
        day = int((one.start + one.took_s - DAY) // 86_400)
        sums[day, one.model].update(read=one.read, cached=one.cached, written=one.written, requests=1)
    head = "date,model,input_tokens,cached,output_tokens" + (",requests" if requests else "")
    rows = [
        f"2026-11-{day + 1:02},{model},{c['read']},{c['cached']},{c['written']}"
        + (f",{c['requests']}" if requests else "")
        for (day, model), c in sums.items()
    ]
    return read(FORMATS, [("bill.csv", "\n".join((head, *rows)).encode())])


def by_request(made: list[Made], named: str = "{}") -> Invoice:
    head = "request_id,start,model,input_tokens,cached,output_tokens,cost_usd"
    rows = [
        f"{named.format(c.ident)},{c.start:.3f},{c.model},{c.read},{c.cached},{c.written},{c.usd:.6f}" for c in made
    ]
    return read(FORMATS, [("bill.csv", "\n".join((head, *rows)).encode())])


def held(export: Invoice, found: list[Entry]) -> Reconciliation:
    whole = ((DAY, DAY + 3 * 86_400),) if export.by_request else None
    return reconcile(export, found, ("outside",), spans=whole)


MADE = st.builds(
    Made, number=st.just(0), model=st.sampled_from(MODELS), day=st.integers(0, 2), second=st.integers(60, 86_000),
    read=st.integers(1, 10**6), cached=st.just(0), written=st.integers(0, 10**5),
)  # fmt: skip
CALLS = st.lists(st.tuples(MADE, st.sampled_from(["both", "both", "bill", "ledger"])), min_size=1, max_size=12).map(
    lambda calls: [(msgspec.structs.replace(one, number=at), where) for at, (one, where) in enumerate(calls)]
)


@given(CALLS)
def test_by_request_every_call_that_is_missing_on_either_side_is_named(calls: list[tuple[Made, str]]) -> None:
    billed = [one for one, where in calls if where != "ledger"]
    if not billed:
        return
    found = held(by_request(billed), [one.entry() for one, where in calls if where != "bill"])
    bypassed = {name for one in found.differences if one.kind == "bypassed" for name in one.request_ids}
    missing = {name for one in found.differences if one.kind == "missing" for name in one.decisions}
    names_agree = any(where == "both" for _, where in calls)
    if names_agree:  # else ids say nothing, and calls of the same size and time would be taken for one another
        assert bypassed == {one.ident for one, where in calls if where == "bill"}
        assert missing == {f"d{one.number}" for one, where in calls if where == "ledger"}
    assert found.exact == all(where == "both" for _, where in calls) or not names_agree
    assert found.money == "agrees" or not names_agree


@given(CALLS, st.booleans())
def test_by_window_what_is_more_or_less_is_found_to_the_token(calls: list[tuple[Made, str]], requests: bool) -> None:
    billed = [one for one, where in calls if where != "ledger"]
    found = held(by_day(billed, requests=requests), [one.entry() for one, where in calls if where != "bill"])
    expected: dict[tuple[float, str], Counter[str]] = {}
    for one, where in calls:
        sign = {"both": 0, "bill": 1, "ledger": -1}[where]
        sums = expected.setdefault((DAY + one.day * 86_400, one.model), Counter())
        sums.update(
            {"read": sign * one.read, "written": sign * one.written, "requests": sign * (requests or not billed)}
        )
    differing = {key: {k: v for k, v in sums.items() if v} for key, sums in expected.items()}
    told = {(one.start, one.model): {k: v for k, v in one.more.items() if v} for one in found.differences}
    assert told == {key: sums for key, sums in differing.items() if sums}
    assert found.agrees == (not told)


def test_a_call_over_midnight_belongs_to_the_day_that_its_provider_counts_it_to() -> None:
    over = Made(number=1, second=86_390, took_s=20)
    others = [Made(number=2), Made(number=3, day=1)]
    found = held(by_day([over, *others]), [one.entry() for one in (over, *others)])
    assert found.exact
    assert not found.differences


def test_calls_over_midnight_that_are_counted_now_so_now_so_are_compared_over_both_days() -> None:
    late = [Made(number=1, second=86_390, took_s=20, read=7), Made(number=2, second=86_390, took_s=20, read=9)]
    first = msgspec.structs.replace(late[0], took_s=1)  # the provider counts it to the day before
    found = held(by_day([first, late[1]]), [one.entry() for one in late])
    assert found.exact
    extra = held(by_day([first, late[1], Made(number=3, day=1)]), [one.entry() for one in late])
    (difference,) = extra.differences
    assert (difference.kind, difference.more) == ("bypassed", Counts(read=10, cache_read=0, written=5, requests=1))
    assert (difference.start, difference.end) == (DAY, DAY + 2 * 86_400)


def test_a_call_whose_process_died_may_be_billed_and_may_not_but_hides_no_more_than_it_could_be() -> None:
    died = Made(number=9).entry(
        counts=NOTHING, most=Counts(read=100, cache_read=100, written=50, requests=1), upstream_id=None
    )
    known = Made(number=1)
    assert held(by_day([known]), [known.entry(), died]).exact, "not billed: there is nothing to explain"
    open_ = held(by_day([known, Made(number=9, read=60)]), [known.entry(), died])
    assert (open_.agrees, open_.exact) == (True, False)
    assert [one.decision for one in open_.open] == ["d9"]
    (two,) = held(by_day([known, Made(number=9), Made(number=10)]), [known.entry(), died]).differences
    assert (two.kind, two.more.requests) == ("bypassed", 1)
    (larger,) = held(by_day([known, Made(number=9, read=101)]), [known.entry(), died]).differences
    assert (larger.kind, larger.more.read) == ("bypassed", 1)
    named = held(by_request([known, Made(number=9, read=60)]), [known.entry(), died])
    assert (named.agrees, named.exact) == (True, False)


def test_a_call_at_the_edge_of_the_exports_time_may_be_on_either_side_of_it() -> None:
    before = Made(number=1, day=-1, second=86_399, took_s=0.5)
    inside = Made(number=2)
    found = held(by_day([inside]), [before.entry(), inside.entry()])
    assert (found.exact, found.attempts) == (True, 2)


def test_the_same_tokens_at_another_price_are_told_apart() -> None:
    known = Made(number=1)
    found = held(by_request([known]), [known.entry(cost_usd=known.usd * 2)])
    (difference,) = found.differences
    assert (difference.kind, difference.more_usd) == ("cost", -known.usd)
    assert (found.agrees, found.money) == (True, "differs")


def test_names_of_another_kind_are_no_names() -> None:
    calls = [Made(number=1), Made(number=2, read=11)]
    assert held(by_request(calls, "req-{}"), [one.entry() for one in calls]).exact
    (extra,) = held(by_request([*calls, Made(number=3)], "req-{}"), [one.entry() for one in calls]).differences
    assert extra.request_ids == ("req-call-3",)


def test_one_name_twice_on_our_side_hides_no_call() -> None:
    one = Made(number=1)
    (difference,) = held(by_request([one]), [one.entry(), one.entry(decision="d2")]).differences
    assert (difference.kind, difference.decisions) == ("missing", ("d1", "d2"))


@pytest.mark.parametrize(
    "name", ["openai/gpt-6", "GPT-6", "gpt-6:free", "gpt-6-2026-01-10", "gpt-6-20260110", "gpt-6@20260110"]
)
def test_models_are_known_by_the_names_that_vendors_vary(name: str) -> None:
    assert plain(name) == "gpt-6"


def test_a_model_may_be_called_otherwise() -> None:
    found = reconcile(by_day([Made(number=1)]), [Made(number=1, model="ours").entry()], ("o",), called={"ours": "big"})
    assert found.exact


# What the ledger's records say


def of(**changes: Any) -> list[Entry]:
    attempt = AttemptRecord(
        endpoint="out", model="ours", tier=Tier.FRONTIER, started=5.0, duration_ms=500, served_model="big-2026-01-10",
        usage=Usage(input=3, cache_read=4, output=2, reasoning=1),
    )  # fmt: skip
    asked = Asked(endpoints=("out",), placed={"ours": ("out", "big"), "small": ("here", "s")}, attempts=3)
    return list(entries([a_decision(1, attempts=(msgspec.structs.replace(attempt, **changes),))], asked))


def test_an_attempt_is_what_its_endpoint_said_it_used() -> None:
    (entry,) = of()
    assert entry.counts == Counts(read=7, cache_read=4, written=3, requests=1)
    assert (entry.names, entry.end, entry.most) == (("big-2026-01-10", "big", "ours"), 5.5, None)
    assert of(endpoint="here") == []
    assert of(wire="count_tokens") == []
    assert of(usage=None) == [], "refused before anything was read"
    (unknown,) = of(usage=None, unknown_usd=Decimal(1))
    assert unknown.most == Counts(read=100, cache_read=100, written=128_000, requests=1)
    (estimated,) = of(usage=Usage(input=3, output=2, estimated=True))
    assert estimated.low == NOTHING


def test_a_call_that_was_cut_off_counts_where_it_may_have_gone() -> None:
    cut = an_intent(1, chosen="ours", features=Features(input_tokens_est=10, max_output_tokens=5))
    asked = Asked(endpoints=("out",), placed={"ours": ("out", "big")}, attempts=3)
    (entry,) = entries([cut.decision("interrupted", "")], asked)
    assert entry.most == Counts(read=30, cache_read=30, written=15, requests=3)
    inside = msgspec.structs.replace(asked, placed={"ours": ("here", "big")})
    assert not list(entries([cut.decision("interrupted", "")], inside))
    assert len(list(entries([cut.decision("interrupted", "")], Asked(endpoints=("out",))))) == 1, "nobody knows where"


def test_an_export_without_embeddings_says_nothing_of_them() -> None:
    decision = a_decision(1, features=Features(input_tokens_est=1, embeddings=True))
    asked = Asked(endpoints=("here",), embeddings=False)
    assert not list(entries([decision], asked))


def test_it_covers_what_it_speaks_of_and_no_more() -> None:
    found = held(by_day([Made(number=1)]), [Made(number=1).entry()])
    assert found.covers("outside", DAY, DAY + 86_400)
    assert not found.covers("another", DAY, DAY + 86_400)
    assert not found.covers("outside", DAY - 1, DAY + 86_400)
    assert not found.covers("outside", DAY, DAY + 4 * 86_400)
    part = msgspec.structs.replace(found, complete=False)
    assert not part.covers("outside", DAY, DAY + 1)
    assert not part.agrees
    chats = msgspec.structs.replace(found, embeddings=False)
    assert not chats.covers("outside", DAY, DAY + 1)
    assert chats.covers("outside", DAY, DAY + 1, embeddings=False)
