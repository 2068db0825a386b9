"""From which confidence on may answers be accepted, with a promise of how many are wrong? Learn-then-Test.

Promise: with probability `confidence` over the rows, the share of wrong answers among accepted ones
(`wrong_given_accepted`), or of answers that are wrong and accepted among all (`wrong_and_accepted`), is at most
`max_wrong`. Shares are those of a row drawn from a cluster drawn at random. Exact where clusters are independent: one
row of each counts, chosen by a hash. A row that nobody could judge is wrong; one without confidence is never accepted.
Invariant: thresholds come from other clusters than rows; equal confidences are accepted together or not at all.
"""

import hashlib
import itertools
import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from statistics import NormalDist

import msgspec

from tierwise.core.criteria import Guarantee
from tierwise.statistics.interval import upper_bound
from tierwise.statistics.plan import certified_items

COUNT = 50


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. `item` tells the rows of a cluster apart; without it their order decides which one counts."""

    confidence: float | None
    wrong: bool
    cluster: str
    item: str = ""


class Certified(msgspec.Struct, frozen=True, kw_only=True):
    """`threshold` None certifies nothing. `n` rows counted, one of each of the `clusters`, out of `rows`.

    `bound` is the upper bound of the share that the guarantee names, at the threshold, or at the first one that was
    tried. `needed`: about so many clusters would have proven that one, as it looks; None where it is proven, or where
    as many are wrong as no number of rows could prove.
    """

    guarantee: Guarantee
    threshold: float | None
    n: int
    accepted: int
    wrong: int
    bound: float
    clusters: int
    rows: int
    needed: int | None = None


def thresholds_from(
    rows: Iterable[Labelled],
    count: int = COUNT,
    *,
    guarantee: Guarantee = "wrong_given_accepted",
    confidence: float = 0.95,
    proving: int | None = None,
) -> tuple[float, ...]:
    """Choose thresholds, strict to loose, beginning with the one that is most likely to be proven on new rows.

    They lie at quantiles of the confidences. `proving` is the number of clusters that they will be proven on; as many
    as here where unknown.
    """
    counted = one_of_each(rows)
    seen = _Seen(counted, guarantee)
    values = [-turned for turned in seen.turned]
    times = (proving or len(counted)) / max(1, len(counted))

    def doubt(threshold: float) -> float:
        """Return the bound that is to be expected, with half a wrong answer more than was seen."""
        n, wrong = seen.of(threshold)
        return upper_bound(math.ceil((wrong + 0.5) * times), math.ceil((n + 0.5) * times), confidence)

    steps = sorted({values[(len(values) - 1) * at // max(1, count - 1)] for at in range(count) if values}, reverse=True)
    first = min(steps, key=doubt, default=None)
    return tuple(step for step in steps if first is not None and step <= first)


def certify(
    rows: Iterable[Labelled],
    thresholds: Sequence[float],
    max_wrong: float,
    confidence: float = 0.95,
    guarantee: Guarantee = "wrong_given_accepted",
) -> Certified:
    """Loosen the threshold step by step for as long as each is proven, and return the last that was."""
    if any(after >= before for before, after in itertools.pairwise(thresholds)):
        raise ValueError("thresholds must run from strict to loose")
    given = tuple(rows)
    counted = one_of_each(given)
    found: tuple[float, float] | None = None
    first: tuple[int, int, float] | None = None
    seen = _Seen(counted, guarantee)
    for threshold in thresholds:
        n, wrong = seen.of(threshold)
        bound = upper_bound(wrong, n, confidence)
        first = first or (n, wrong, bound)
        if bound > max_wrong:
            break
        found = (threshold, bound)
    accepted, wrong = seen.accepted(found[0]) if found else (0, 0)
    return Certified(
        guarantee=guarantee,
        threshold=found[0] if found else None,
        n=len(counted),
        accepted=accepted,
        wrong=wrong,
        bound=found[1] if found else first[2] if first else 1.0,
        clusters=len(counted),
        rows=len(given),
        needed=_needed(first[0], first[1], len(counted), max_wrong, confidence) if first and not found else None,
    )


def one_of_each(rows: Iterable[Labelled]) -> list[Labelled]:
    """Return one row of each cluster, chosen by a hash of its names and never by what it holds."""
    clusters: dict[str, list[tuple[int, Labelled]]] = {}
    for at, row in enumerate(rows):
        clusters.setdefault(row.cluster, []).append((at, row))
    return [found[0][1] if len(found) == 1 else min(found, key=_lot)[1] for found in clusters.values()]


def _lot(placed: tuple[int, Labelled]) -> bytes:
    at, row = placed
    return hashlib.sha256(f"{row.cluster}\0{row.item or at}".encode()).digest()


class _Seen:
    """Rows in the order in which a threshold lets them go, surest first, and the wrong ones among so many."""

    def __init__(self, rows: Sequence[Labelled], guarantee: Guarantee) -> None:
        sure = sorted((-row.confidence, row.wrong) for row in rows if row.confidence is not None)
        self.turned = [turned for turned, _ in sure]
        self._wrong = [0, *itertools.accumulate(wrong for _, wrong in sure)]
        self._all = None if guarantee == "wrong_given_accepted" else len(rows)

    def accepted(self, threshold: float) -> tuple[int, int]:
        """Return how many are accepted, equal ones together, and how many of them are wrong."""
        n = bisect_right(self.turned, -threshold)
        return n, self._wrong[n]

    def of(self, threshold: float) -> tuple[int, int]:
        """Return of how many rows the guarantee speaks, and how many of them are wrong and accepted."""
        n, wrong = self.accepted(threshold)
        return (n if self._all is None else self._all), wrong


def _needed(n: int, wrong: int, clusters: int, max_wrong: float, confidence: float) -> int | None:
    """Return about how many clusters would prove MAX_WRONG, if N of `clusters` go on to show this share of wrong."""
    if not n or wrong / n >= max_wrong:
        return None
    z = NormalDist().inv_cdf(confidence)
    spread = z * z * max_wrong * (1 - max_wrong) / (max_wrong - wrong / n) ** 2
    return math.ceil(max(spread, certified_items(max_wrong, wrong, confidence)) * clusters / n)
