"""What was spent, kept as sums: the same figures as adding up every record anew, which `tierwise cost` does."""

from decimal import Decimal
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.web.records import record
from tierwise.core.criteria import Criteria
from tierwise.core.decision import Decision
from tierwise.core.label import Tier
from tierwise.core.usage import Price, Usage
from tierwise.economics.spend import VIEWS, Spending
from tierwise.ledger.remarks import Remark, joined
from tierwise.web.index import Index
from tierwise.web.spent import DAY_S

NOON = 20_000 * DAY_S + 43_200.0
DEAR = Price(input_usd_per_mtok=Decimal(3), output_usd_per_mtok=Decimal(15))
LATER = Price(input_usd_per_mtok=Decimal("0.5"), output_usd_per_mtok=Decimal(1))
ELSEWHERE = {"dear": lambda ts: DEAR, "later": lambda ts: LATER if ts > NOON else None}
CRITERIA = {"mail": Criteria(error_cost_usd=Decimal(3), review_usd_per_hour=Decimal(36), right_from=0.5)}
CENTS = st.integers(0, 10**9).map(lambda number: Decimal(number).scaleb(-9))


@st.composite
def calls(draw: st.DrawFn) -> Decision:
    """A call that cost something, or never said so, or served at home."""
    made = record(
        1, ts=NOON + draw(st.integers(-3, 3)) * DAY_S, workflow=draw(st.sampled_from(["mail", "chat", None])),
        outcome=draw(st.sampled_from(["answered", "review", "failed", "refused", "dry_run", "flagged"])),
        usage=draw(st.none() | st.builds(Usage, input=st.integers(0, 10**6), output=st.integers(0, 10**5))),
        cost=draw(st.none() | CENTS), unknown=draw(st.none() | CENTS), models=draw(st.sampled_from([(), ("a", "b")])),
    )  # fmt: skip
    tier, own = draw(st.sampled_from(list(Tier))), draw(st.none() | CENTS)
    attempts = tuple(msgspec.structs.replace(one, tier=tier, own_usd=own) for one in made.attempts)
    return msgspec.structs.replace(made, attempts=attempts, key_id=draw(st.sampled_from([None, "k1", "k2"])))


def numbered(made: list[Decision]) -> list[Decision]:
    return [msgspec.structs.replace(one, seq=at, id=f"01{at:024d}") for at, one in enumerate(made, 1)]


SCORES = st.lists(st.tuples(st.sampled_from(["feedback", "review"]), st.sampled_from([0.0, 0.5, 1.0]),
                            st.none() | st.integers(1, 600)), max_size=3)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(calls(), SCORES), max_size=12), st.integers(0, 12))
def test_the_sums_are_those_of_the_command(
    tmp_path_factory: object, made: list[tuple[Decision, list[tuple[str, float, int | None]]]], parted: int
) -> None:
    records = numbered([one for one, _ in made])
    remarks = {
        record.id: [
            Remark(decision=record.id, what=what, score=score, seconds=seconds, who=str(at), seq=at + 1)  # type: ignore[arg-type]
            for at, (what, score, seconds) in enumerate(said)
        ]
        for record, (_, said) in zip(records, made, strict=True)
    }
    anew = Spending(ELSEWHERE, CRITERIA)
    index = Index(Path(tmp_path_factory.mktemp("spent")) / "index.sqlite", ELSEWHERE, CRITERIA)  # type: ignore[attr-defined]
    index.add(records[:parted])
    index.hear(1, [(one, joined(one, remarks[one.id][:1])) for one in records])  # early, and of calls not yet read
    index.add(records[parted:])
    index.hear(2, [(one, joined(one, remarks[one.id])) for one in records])
    for one in records:
        anew.add(joined(one, remarks[one.id]))
    found = index.spent(0.0)
    assert found.whole == anew.whole()
    assert found.mix == anew.mix
    for view in VIEWS:
        assert found.views[view] == anew.lines(view), view
    index.close()


def test_a_time_begins_with_its_day_and_a_workflow_stands_alone(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite")
    one, other, late = (
        record(1, ts=NOON - DAY_S, cost=Decimal(1)),
        record(2, ts=NOON - 43_199, cost=Decimal(2)),
        record(3, ts=NOON, workflow="chat", cost=Decimal(4)),
    )
    index.add([one, other, late])
    assert index.spent(NOON).whole.cost_usd == 6
    assert index.spent(NOON, "chat").whole.cost_usd == 4
    assert index.spent(0.0).first_day == int(NOON // DAY_S) - 1
    assert index.spent(NOON + DAY_S).first_day is None


def test_other_prices_or_criteria_mean_a_new_copy(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    used = record(1, ts=NOON, usage=Usage(input=1_000_000))
    for price in (DEAR, LATER):
        index = Index(path, {"it": lambda ts, price=price: price})
        assert index.followed == (0, "")
        index.add([used])
        assert index.spent(0.0).whole.elsewhere_usd == {"it": price.input_usd_per_mtok}
        index.close()
    Index(path, {"it": lambda ts: LATER}, CRITERIA).close()
    assert Index(path, {"it": lambda ts: LATER}, CRITERIA).followed == (0, "")


def test_no_amount_is_too_large(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite")
    index.add([record(seq, ts=NOON + seq * DAY_S, cost=Decimal(10) ** 20) for seq in range(1, 40)])
    assert index.spent(0.0).whole.cost_usd == 39 * 10**6


def test_a_day_that_the_ledger_forgot_is_forgotten(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite")
    index.add([record(1, ts=NOON - DAY_S, cost=Decimal(1)), record(2, ts=NOON, cost=Decimal(2))])
    index.hear(1, [(one, joined(one, [Remark(decision=one.id, score=0.0)])) for one in [record(1, ts=NOON - DAY_S)]])
    index.prune(2)
    assert (index.spent(0.0).whole.cost_usd, index.spent(0.0).whole.judged) == (2, 0)
