"""Retries are a share of the calls, and a few at once."""

from hypothesis import given
from hypothesis import strategies as st

from tierwise.fallback.retries import AT_ONCE, SHARE, Retries


@given(st.lists(st.booleans(), max_size=600))
def test_they_are_never_more_than_their_share(fails: list[bool]) -> None:
    retries, calls, again = Retries(), 0, 0
    for failed in fails:
        retries.asked(again=False)
        calls += 1
        if failed and retries.left:
            retries.asked(again=True)
            again += 1
    assert again <= AT_ONCE + SHARE * calls


def test_a_few_at_once_and_then_none_until_others_have_called() -> None:
    retries = Retries()
    for _ in range(int(AT_ONCE)):
        assert retries.left
        retries.asked(again=True)
    assert not retries.left
    for _ in range(11):
        retries.asked(again=False)
    assert retries.left
