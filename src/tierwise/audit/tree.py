"""Is this record in the log, and is that log a continuation of this one? The Merkle tree of RFC 6962, section 2.1.

Pure: hashes in, hashes out; knows neither records nor signatures. Leaves and nodes are hashed apart (0x00, 0x01), so
that no node can be passed off as a record.
Invariant: a root stands for exactly one list of leaves, in exactly one order.
"""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

HASH_BYTES = 32
EMPTY = hashlib.sha256(b"").digest()
"""The root of no leaves."""


def leaf_hash(seq: int, record: bytes) -> bytes:
    """Return the leaf of a record: its number (64 bits, big end first) and its bytes as they were recorded."""
    return hashlib.sha256(b"\x00" + seq.to_bytes(8, "big") + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier(msgspec.Struct, frozen=True):
    """A tree that only grows, as the roots of its whole subtrees, largest first: one for each bit set in `size`."""

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def grown(self, leaves: Iterable[bytes]) -> "Frontier":
        """Return the tree with more leaves behind its last one."""
        size, roots = self.size, list(self.roots)
        for leaf in leaves:
            grown, bits = leaf, size
            while bits & 1:
                grown = node_hash(roots.pop(), grown)
                bits >>= 1
            roots.append(grown)
            size += 1
        return Frontier(size, tuple(roots))

    @property
    def root(self) -> bytes:
        """The root of the whole tree."""
        if not self.roots:
            return EMPTY
        *left, whole = self.roots
        for root in reversed(left):
            whole = node_hash(root, whole)
        return whole


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root of these leaves."""
    return Frontier().grown(leaves).root


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return what proves that the leaf at `index` (from 0) is in their tree, nearest to the leaf first."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion(leaves[:split], index), root_of(leaves[split:])]
    return [*inclusion(leaves[split:], index - split), root_of(leaves[:split])]


def consistency(leaves: Sequence[bytes], before: int) -> list[bytes]:
    """Return what proves that the tree of the first `before` leaves is the beginning of the tree of all of them."""
    return [] if before in (0, len(leaves)) else _consistency(leaves, before, whole=True)


def _consistency(leaves: Sequence[bytes], before: int, *, whole: bool) -> list[bytes]:
    if before == len(leaves):
        return [] if whole else [root_of(leaves)]
    split = _split(len(leaves))
    if before <= split:
        return [*_consistency(leaves[:split], before, whole=whole), root_of(leaves[split:])]
    return [*_consistency(leaves[split:], before - split, whole=False), root_of(leaves[:split])]


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether the proof shows the leaf at `index` of the tree of this size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistent(before: int, after: int, proof: Sequence[bytes], old: bytes, new: bytes) -> bool:
    """Say whether the proof shows that the tree `new` continues the tree `old` (RFC 9162, 2.1.4.2)."""
    if before > after or before < 0:
        return False
    if before in (0, after):
        return not proof and (old == EMPTY if before == 0 else old == new)
    steps = [old, *proof] if before & (before - 1) == 0 else list(proof)
    if not steps:
        return False
    at, last = before - 1, after - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, step)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old and second == new


def _split(size: int) -> int:
    """Return the largest power of two that is smaller than `size` (2 or more)."""
    return 1 << (size - 1).bit_length() - 1
