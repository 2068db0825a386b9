"""A budget is never overshot by a reservation that was granted."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.economics.budget import Account, Budget, window_start

CENTS = st.integers(0, 500).map(lambda c: Decimal(c) / 100)


@given(st.lists(st.tuples(CENTS, CENTS, st.booleans()), max_size=60))
def test_reserve_and_settle_never_overshoot(calls: list[tuple[Decimal, Decimal, bool]]) -> None:
    account = Account(Budget(scope="all", limit_usd=Decimal(10)), spent=Decimal(0), now=0)
    open_reservations: list[tuple[Decimal, Decimal]] = []
    for worst, share, settles in calls:
        if account.reserve(worst, 1):
            open_reservations.append((worst, min(worst, share)))
        if settles and open_reservations:
            reserved, cost = open_reservations.pop()
            account.settle(reserved, cost, 1)
        assert account.spent + account.reserved <= Decimal(10)
        assert account.reserved == sum((r for r, _ in open_reservations), Decimal(0))


def test_a_new_window_forgets_what_was_spent_but_not_what_is_reserved() -> None:
    account = Account(Budget(scope="all", limit_usd=Decimal(1), window="1h"), spent=Decimal("0.9"), now=10)
    assert not account.reserve(Decimal("0.2"), 3599)
    assert account.reserve(Decimal("0.1"), 3599)
    assert account.left(3600) == Decimal("0.9")


@pytest.mark.parametrize("step_s", [3600, 86_400, 365 * 86_400, -3600, -86_400, -365 * 86_400])
def test_a_clock_that_is_set_and_set_right_again_frees_nothing(step_s: int) -> None:
    now = 1_800_000_000
    account = Account(Budget(scope="all", limit_usd=Decimal(1), window="1h"), spent=Decimal("0.9"), now=now)
    account.left(now + step_s)
    if step_s < 0:
        assert account.left(now + step_s) == Decimal("0.1"), "an hour that is past gives nothing"
    assert account.left(now) == Decimal("0.1")
    assert account.left(now + 3600) == 1, "and the next window comes when it is due"


# Both changes to and from summer time, a leap day and a new year, in whatever zone: one reset, exactly at the UTC hour.
TURNS = [1_774_746_000, 1_792_893_600, 1_835_395_200, 1_798_761_600]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])
def test_each_window_resets_once_and_on_time_in_every_zone(turn: int, zone: str) -> None:
    local = datetime.fromtimestamp(turn, ZoneInfo(zone))
    account = Account(Budget(scope="all", limit_usd=Decimal(1), window="1h"), spent=Decimal(1), now=turn - 1)
    starts = []
    for second in range(-3600, 7200, 60):
        account.left((local.astimezone(UTC) + timedelta(seconds=second)).timestamp())
        starts.append(account.start)
    assert sorted(set(starts)) == [turn - 3600, turn, turn + 3600]
    assert starts == sorted(starts)


def test_windows_are_utc_days() -> None:
    noon = 1_763_640_000 // 86_400 * 86_400 + 43_200
    assert window_start("1d", noon) == noon - 43_200


def test_scopes() -> None:
    assert Budget(scope="workflow:tickets", limit_usd=Decimal(1)).covers("tickets", None)
    assert not Budget(scope="workflow:tickets", limit_usd=Decimal(1)).covers(None, "k")
    assert Budget(scope="key:k", limit_usd=Decimal(1)).covers(None, "k")
    assert Budget(scope="team:red", limit_usd=Decimal(1)).covers(None, "k", "red")
    assert not Budget(scope="team:None", limit_usd=Decimal(1)).covers(None, None, None)


@pytest.mark.parametrize("scope", ["", "everything", "teams:red", "team:", "key"])
def test_a_scope_that_is_none_is_refused_when_it_is_read(scope: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"scope": scope, "limit_usd": "1"}, Budget)


class Everything:
    """The same promise as it is told: look at all that ever happened, each time."""

    def __init__(self, limit: Decimal) -> None:
        self.limit, self.open, self.paid = limit, Decimal(0), [(0.0, Decimal(0))]

    def admits(self, worst: Decimal, now: float) -> bool:
        start = now - now % 3600
        return sum((cost for at, cost in self.paid if at >= start), self.open) + worst <= self.limit


@given(st.lists(st.tuples(CENTS, CENTS, st.booleans(), st.integers(0, 2000)), max_size=60))
def test_admits_what_a_naive_reference_admits(calls: list[tuple[Decimal, Decimal, bool, int]]) -> None:
    account = Account(Budget(scope="all", limit_usd=Decimal(10), window="1h"), spent=Decimal(0), now=0)
    naive, now = Everything(Decimal(10)), 0
    under_way: list[tuple[Decimal, Decimal]] = []
    for worst, share, settles, passed_s in calls:
        now += passed_s
        granted = naive.admits(worst, now)
        assert account.reserve(worst, now) is granted
        if granted:
            naive.open += worst
            under_way.append((worst, min(worst, share)))
        if settles and under_way:
            reserved, cost = under_way.pop(0)
            account.settle(reserved, cost, now)
            naive.open -= reserved
            naive.paid.append((now, cost))
