"""What does the log grow by, and does it grow from where it was signed last? Pure; both stores use it.

Invariant: nothing is built on a checkpoint that was not signed, or whose tree is not the one that was signed.
"""

from collections.abc import Iterable, Sequence

from tierwise.audit.checkpoint import checkpoint, opened
from tierwise.audit.notes import Signer
from tierwise.audit.tree import EMPTY, HASH_BYTES, Frontier
from tierwise.core.errors import LogChanged, StoreError

Kept = tuple[str, bytes]
"""A checkpoint as a store keeps it: the signed note, and the frontier of its tree (`packed`)."""


def packed(frontier: Frontier) -> bytes:
    """Return the roots of the frontier in one piece; how many there are follows from its size."""
    return b"".join(frontier.roots)


def continued(kept: Kept | None, signer: Signer) -> Frontier:
    """Return the tree at the last checkpoint, the empty one for none. Raises StoreError for one not to be trusted."""
    if kept is None:
        return Frontier()
    note, blob = kept
    try:
        last = opened(note, signer.keys)
    except StoreError as error:
        raise LogChanged(
            f"the ledger's last checkpoint was {error}: give this gateway the key of the log (`tierwise audit key`)"
        ) from None
    roots = tuple(blob[at : at + HASH_BYTES] for at in range(0, len(blob), HASH_BYTES))
    frontier = Frontier(last.size, roots)
    if len(roots) != last.size.bit_count() or (frontier.root if roots else EMPTY) != last.root:
        raise LogChanged("the ledger's last checkpoint is not what was signed: somebody changed it")
    return frontier


def extended(frontier: Frontier, leaves: Sequence[tuple[int, bytes]]) -> Frontier:
    """Return the tree with the leaves of these numbers behind it. Raises StoreError where one is missing."""
    for place, (number, _) in enumerate(leaves, frontier.size + 1):
        if number != place:
            raise LogChanged(f"record {place} is gone, and nothing says why: somebody took it out of the ledger")
    return frontier.grown(leaf for _, leaf in leaves)


def signed(signer: Signer, frontier: Frontier) -> Kept:
    """Return the checkpoint of this tree."""
    return checkpoint(signer, frontier.size, frontier.root), packed(frontier)


def missing(numbers: Iterable[int], last: int) -> list[int]:
    """Return which numbers up to `last` are not among these."""
    return sorted(set(range(1, last + 1)) - set(numbers))
