"""Which texts say nearly the same? MinHash finds the pairs worth a look, an exact count decides.

Two texts are near where at least `SIMILAR` of their runs of five bytes, taken together, stand in both.
Invariant: the answer depends on the texts alone; the work grows with their length, not with the square of their number.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from tierwise.core.extras import without

SIMILAR = 0.8
RUN_BYTES = 5
MAX_COMPARED_BYTES = 20_000
"""Of one text: what is longer is compared by its beginning."""
HASHES, BAND = 64, 4
# A signature of 64 estimates similarity with an error of 0.05; below this nothing that is near is lost.
LEAST_ESTIMATE = 0.6
_CHUNK_BYTES = 1 << 16
_MIX = 0x9E3779B97F4A7C15


class Groups:
    """Members joined into groups; the lowest number in a group stands for it."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, member: int) -> int:
        """Return who stands for the member's group."""
        parent = self._parent
        while parent[member] != member:
            parent[member] = member = parent[parent[member]]
        return member

    def join(self, one: int, other: int) -> None:
        """Make two groups one."""
        low, high = sorted((self.root(one), self.root(other)))
        self._parent[high] = low


def near(texts: Sequence[str]) -> Groups:
    """Join the texts that are near, each to each or over others between. ConfigError where NumPy is missing."""
    groups = Groups(len(texts))
    if len(texts) < 2:
        return groups
    np = numpy()
    data = [text.encode("utf-8", "surrogatepass")[:MAX_COMPARED_BYTES].ljust(RUN_BYTES, b"\0") for text in texts]
    signatures = np.concatenate([_signatures(np, chunk) for chunk in _chunks(data)])
    for one, other in _pairs(np, signatures):
        if groups.root(one) != groups.root(other) and _similarity(data[one], data[other]) >= SIMILAR:
            groups.join(one, other)
    return groups


def numpy() -> Any:
    """Return NumPy; ConfigError that names the extra where it is missing."""
    try:
        import numpy
    except ImportError as error:
        raise without(error, "evals", "data sets") from error
    return numpy


def _chunks(data: Sequence[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for one in data:
        chunk.append(one)
        size += len(one)
        if size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _signatures(np: Any, chunk: Sequence[bytes]) -> Any:
    """Return a row of `HASHES` minima for each text."""
    raw = np.frombuffer(b"".join(chunk) + bytes(RUN_BYTES), dtype=np.uint8).astype(np.uint64)
    count = len(raw) - RUN_BYTES
    runs = np.zeros(count, dtype=np.uint64)
    for at in range(RUN_BYTES):
        runs = (runs << np.uint64(8)) | raw[at : at + count]
    runs = (runs * np.uint64(_MIX)) ^ (runs >> np.uint64(17))
    lengths = np.array([len(one) for one in chunk])
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    ends = starts + lengths - RUN_BYTES + 1
    bounds = np.stack((starts, ends), axis=1).ravel()
    factors = np.random.default_rng(0).integers(1, 2**63, size=HASHES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    found = np.empty((len(chunk), HASHES), dtype=np.uint64)
    for at, factor in enumerate(factors):
        found[:, at] = np.minimum.reduceat(runs * factor, bounds)[::2]
    return found


def _pairs(np: Any, signatures: Any) -> Iterator[tuple[int, int]]:
    """Give pairs that agree in a band: each text with the first in its bucket, and with the one before it."""
    for start in range(0, HASHES, BAND):
        band = signatures[:, start : start + BAND]
        order = np.lexsort(band.T)
        same = np.all(band[order[1:]] == band[order[:-1]], axis=1)
        heads = np.maximum.accumulate(np.where(np.concatenate(([False], same)), 0, np.arange(len(order))))
        later = np.flatnonzero(same) + 1
        pairs = np.unique(
            np.stack(
                (np.concatenate((order[later], order[later])), np.concatenate((order[heads[later]], order[later - 1])))
            ),
            axis=1,
        )
        alike = np.mean(signatures[pairs[0]] == signatures[pairs[1]], axis=1) >= LEAST_ESTIMATE
        yield from zip(pairs[0][alike].tolist(), pairs[1][alike].tolist(), strict=True)


def _similarity(one: bytes, other: bytes) -> float:
    ours, theirs = _runs(one), _runs(other)
    return len(ours & theirs) / len(ours | theirs)


def _runs(data: bytes) -> set[bytes]:
    return {data[at : at + RUN_BYTES] for at in range(len(data) - RUN_BYTES + 1)}
