"""What is set aside is set aside in all accounts or in none, and comes back exactly once."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tierwise.economics.budget import Account, Budget
from tierwise.ledger.holds import Holds

CENTS = st.integers(0, 60).map(lambda cents: Decimal(cents) / 100)
NAMES = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), NAMES, CENTS),
        st.tuples(st.just("settle"), NAMES, CENTS),
    ),
    max_size=30,
)
BELONGS = {"a": (0,), "b": (0, 1), "c": (1,)}


@given(steps=STEPS)
def test_accounts_agree_with_a_book_kept_by_hand(steps: list[tuple[str, str, Decimal]]) -> None:
    limits = [Decimal(1), Decimal("0.5")]
    accounts = [Account(Budget(scope="all", limit_usd=limit), spent=Decimal(0), now=0) for limit in limits]
    holds, held = Holds(), dict.fromkeys("abc", Decimal(0))
    spent = [Decimal(0), Decimal(0)]
    for what, name, amount in steps:
        mine = BELONGS[name]
        if what == "place":
            room = [
                limits[at] - spent[at] - sum((held[n] for n in held if at in BELONGS[n] and n != name), Decimal(0))
                for at in mine
            ]
            fits = amount <= held[name] or all(amount <= left for left in room)
            short = holds.place(name, amount, [accounts[at] for at in mine], 1.0)
            assert (short is None) == fits
            if short is None:
                held[name] = amount
        else:
            if held[name] or name in holds._held:
                for at in mine:
                    spent[at] += amount
            holds.settle(name, amount, 1.0)
            holds.settle(name, amount, 1.0)
            held[name] = Decimal(0)
        for at, account in enumerate(accounts):
            assert account.reserved == sum((held[n] for n in held if at in BELONGS[n]), Decimal(0))
            assert account.spent == spent[at]
