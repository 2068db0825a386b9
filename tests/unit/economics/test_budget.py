"""A budget is never overshot by a reservation that was granted."""

from decimal import Decimal

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


def test_windows_are_utc_days() -> None:
    noon = 1_763_640_000 // 86_400 * 86_400 + 43_200
    assert window_start("1d", noon) == noon - 43_200


def test_scopes() -> None:
    assert Budget(scope="workflow:tickets", limit_usd=Decimal(1)).covers("tickets", None)
    assert not Budget(scope="workflow:tickets", limit_usd=Decimal(1)).covers(None, "k")
    assert Budget(scope="key:k", limit_usd=Decimal(1)).covers(None, "k")
