"""The log's tree is that of RFC 6962: published roots, and proofs that hold for what is true and nothing else."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.audit.tree import (
    EMPTY,
    Frontier,
    consistency,
    consistent,
    included,
    inclusion,
    leaf_hash,
    node_hash,
    root_of,
)

# The test leaves and roots of the reference implementation of RFC 6962 (google/certificate-transparency).
PUBLISHED = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    ("606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
]
LEAVES = st.integers(1, 70).map(lambda n: [leaf_hash(i, b"x") for i in range(n)])


def test_roots_are_the_published_ones() -> None:
    leaves: list[bytes] = []
    assert root_of(leaves) == EMPTY
    for data, root in PUBLISHED:
        leaves.append(hashlib.sha256(b"\x00" + bytes.fromhex(data)).digest())
        assert root_of(leaves).hex() == root


def test_a_record_is_its_number_and_its_bytes() -> None:
    assert leaf_hash(1, b"ab") != leaf_hash(2, b"ab") != leaf_hash(2, b"ac")
    assert leaf_hash(1, b"") == hashlib.sha256(b"\x00" + bytes(7) + b"\x01").digest()
    left, right = leaf_hash(1, b""), leaf_hash(2, b"")
    assert node_hash(left, right) != hashlib.sha256(b"\x00" + left + right).digest()


@given(LEAVES, st.data())
def test_a_tree_grows_the_same_in_any_steps(leaves: list[bytes], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(leaves)))
    grown = Frontier().grown(leaves[:cut]).grown(leaves[cut:])
    assert (grown.size, grown.root) == (len(leaves), root_of(leaves))
    assert len(grown.roots) == len(leaves).bit_count()


@given(LEAVES, st.data())
def test_a_proof_of_inclusion_holds_for_its_leaf_and_place_alone(leaves: list[bytes], data: st.DataObject) -> None:
    size, root = len(leaves), root_of(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion(leaves, index)
    assert included(leaves[index], index, size, proof, root)
    other = data.draw(st.integers(-1, size + 1))
    if other != index:
        assert not included(leaves[index], other, size, proof, root)
    assert not included(leaf_hash(index, b"y"), index, size, proof, root)
    for at in range(len(proof)):
        bent = [*proof[:at], node_hash(proof[at], root), *proof[at + 1 :]]
        assert not included(leaves[index], index, size, bent, root)
    assert not included(leaves[index], index, size, [*proof, root], root)


@given(LEAVES, st.data())
def test_a_proof_of_consistency_holds_for_a_continuation_alone(leaves: list[bytes], data: st.DataObject) -> None:
    size, root = len(leaves), root_of(leaves)
    before = data.draw(st.integers(0, size))
    old, proof = root_of(leaves[:before]), consistency(leaves, before)
    assert consistent(before, size, proof, old, root)
    changed = data.draw(st.integers(0, size - 1))
    rewritten = [*leaves[:changed], leaf_hash(changed, b"y"), *leaves[changed + 1 :]]
    kept = changed >= before
    assert consistent(before, size, consistency(rewritten, before), old, root_of(rewritten)) is kept
    if before not in (0, size):
        assert not consistent(before, size, [*proof, root], old, root)
        assert not consistent(before, size, proof[:-1], old, root)


@pytest.mark.parametrize(("before", "after"), [(3, 2), (-1, 2)])
def test_a_log_does_not_shrink(before: int, after: int) -> None:
    assert not consistent(before, after, [], EMPTY, EMPTY)
