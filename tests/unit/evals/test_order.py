from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tierwise.evals.item import Item, Split
from tierwise.evals.order import chosen, order, session_of


def items(count: int, split: Split = "prove") -> list[Item]:
    return [Item(id=f"{split}{n}", fields={}, cluster=f"{n}", split=split) for n in range(count)]


@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 3))
def test_everybody_is_asked_everything_once_a_repeat(count: int, subjects: int, repeats: int) -> None:
    names = [f"s{n}" for n in range(subjects)]
    calls = list(order(items(count), names, repeats))
    assert set(Counter(calls).values()) == {1}
    assert len(calls) == count * subjects * repeats
    assert len({session_of("run", key) for key in calls}) == len(calls)


def test_load_and_time_of_day_fall_on_all_alike() -> None:
    calls = list(order(items(30), ["a", "b", "c"], 1))
    assert [item for item, _, _ in calls[::3]] == [item for item, _, _ in calls[1::3]]
    assert Counter(subject for _, subject, _ in calls[::3]) == {"a": 10, "b": 10, "c": 10}


def test_a_smaller_limit_is_the_beginning_of_a_larger_one() -> None:
    known = items(50) + items(20, "tune") + items(20, "train")
    assert chosen(known, 10, 0) == chosen(known, 40, 0)[:10]
    assert chosen(list(reversed(known)), None, 0) == chosen(known, None, 0)
    assert {one.split for one in chosen(known, None, 0)} == {"tune", "prove"}
    assert chosen(known, 10, 1) != chosen(known, 10, 0)


def test_names_that_run_into_each_other_are_other_calls() -> None:
    assert session_of("r", ("a", "bc", 0)) != session_of("r", ("ab", "c", 0))
    assert session_of("r", ("a", "b", 1)) != session_of("r", ("a", "b", 0))
