"""Which recorded calls can be asked again? Shares of strata, and requests of other wires in the words of this one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import TierwiseError
from tierwise.evals.data.recorded import conversation, quotas

SIZES = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from("cd"), st.sampled_from("ef")), st.integers(1, 500)
)


@given(SIZES, st.integers(1, 600))
def test_strata_are_shared_out_whole_and_each_that_can_be_is_there(
    sizes: dict[tuple[str, str, str], int], n: int
) -> None:
    found = quotas(sizes, n)
    assert sum(found.values()) == min(n, sum(sizes.values()))
    assert all(0 < count <= sizes[name] for name, count in found.items())
    if n >= len(sizes):
        assert found.keys() == sizes.keys()


def test_large_strata_get_their_share() -> None:
    assert quotas({("a", "", ""): 900, ("b", "", ""): 99, ("c", "", ""): 1}, 100) == {
        ("a", "", ""): 90, ("b", "", ""): 9, ("c", "", ""): 1,
    }  # fmt: skip


def test_a_request_of_another_wire_is_told_in_the_words_of_this_one() -> None:
    body = (
        b'{"model":"m","max_tokens":9,"system":"Be kind.","metadata":{"user_id":"u"},'
        b'"messages":[{"role":"user","content":[{"type":"text","text":"hello"}]}]}'
    )
    found = conversation("messages", body)
    assert found["messages"] == [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello"}]
    assert (found["max_tokens"], "model" in found, "user" in found) == (9, False, False)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages": 3}', b'{"messages": [{"role"'])
def test_what_is_no_request_any_more_is_refused(body: bytes) -> None:
    for wire in ("chat", "messages"):
        with pytest.raises((TierwiseError, ValueError)):
            conversation(wire, body)
