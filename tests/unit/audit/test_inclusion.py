"""The proof of one record leads from its bytes to the root that was signed, and from no other bytes."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from tierwise.audit.inclusion import Inclusion
from tierwise.audit.tree import included, leaf_hash, root_of


@given(st.integers(1, 40).flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size))), st.integers(0, 5))
def test_it_leads_to_the_root(size_and_seq: tuple[int, int], more: int) -> None:
    size, seq = size_and_seq
    records = [f"record {number}".encode() for number in range(1, size + more + 1)]
    leaves = [leaf_hash(number, record) for number, record in enumerate(records, 1)]
    looking = Inclusion(seq)
    looking.begin([], None)
    rows = list(zip(range(1, len(records) + 1), records, leaves, strict=True))
    looking.take(rows[:7])
    looking.take(rows[7:])
    proof = looking.proof(size)
    steps = [base64.b64decode(step) for step in proof["inclusion"]]
    root, record = root_of(leaves[:size]), base64.b64decode(proof["record"])
    assert record == records[seq - 1]
    assert included(leaf_hash(seq, record), seq - 1, size, steps, root)
    assert not included(leaf_hash(seq, record + b"x"), seq - 1, size, steps, root)
    assert not included(leaf_hash(seq + 1, record), seq - 1, size, steps, root)
