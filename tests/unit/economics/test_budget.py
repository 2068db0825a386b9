"""A budget is never overshot by a reservation that was granted."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.economics.budget import WINDOW_S, Account, Budget, window_start

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


ZONES = [
    "Africa/Cairo", "Africa/Casablanca", "Africa/El_Aaiun", "Africa/Johannesburg", "America/Asuncion", "America/Havana",
    "America/Los_Angeles", "America/New_York", "America/Nuuk", "America/Sao_Paulo", "America/Santiago",
    "America/St_Johns", "Antarctica/Troll", "Asia/Beirut", "Asia/Gaza", "Asia/Jerusalem", "Asia/Kathmandu",
    "Asia/Kolkata", "Asia/Shanghai", "Asia/Tehran", "Asia/Tokyo", "Atlantic/Azores", "Australia/Adelaide",
    "Australia/Lord_Howe", "Europe/Berlin", "Europe/Chisinau", "Europe/Dublin", "Pacific/Apia", "Pacific/Auckland",
    "Pacific/Chatham", "Pacific/Easter",
]  # fmt: skip
FIRST, LAST = 1_767_225_600, 1_861_920_000  # 2026 to 2028, with a leap day


def changes(zone: ZoneInfo) -> list[int]:
    """Return the hours in which the zone's offset changes."""
    offsets = [(at, datetime.fromtimestamp(at, zone).utcoffset()) for at in range(FIRST, LAST, 3600)]
    return [after for (_, one), (after, other) in pairwise(offsets) if one != other]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has no TZ")
@pytest.mark.parametrize("zone", ZONES)
def test_where_this_machine_stands_moves_no_window(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for turn in [*changes(ZoneInfo(zone)), *TURNS]:
            for window, length in WINDOW_S.items():
                account = Account(Budget(scope="all", limit_usd=Decimal(1), window=window), spent=Decimal(1), now=turn)  # type: ignore[arg-type]
                start = account.start
                assert start <= turn < start + length
                assert (start / length).is_integer()
                assert account.left(start + length - 1) == 0, "not early"
                assert account.left(start + length) == 1, "not late"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_soft_limit_is_reached_with_what_is_set_aside_too() -> None:
    budget = Budget(scope="all", limit_usd=Decimal(10), soft_limit_usd=Decimal(5))
    account = Account(budget, spent=Decimal(3), now=0)
    assert account.reserve(Decimal("1.99"), 0)
    assert not account.over_soft_limit()
    assert account.reserve(Decimal("0.01"), 0)
    assert account.over_soft_limit()
    assert not Account(Budget(scope="all", limit_usd=Decimal(1)), spent=Decimal(1), now=0).over_soft_limit()


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
