"""What is a cascade of two models worth on labelled messages?

Pure arithmetic over what was answered; who asked, and how, is not known here.
Invariant: every figure can be recounted from the outcomes; a message left for somebody else counts, in the accuracies
over all rows, with the larger model's withheld answer.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from tierwise.statistics.interval import wilson

KeptBy = Literal["small", "larger", "left"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One message: whether each model alone was right, and who kept it in the cascade."""

    small_right: bool
    larger_right: bool
    kept_by: KeptBy


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A proportion of `n` with its 95 % interval."""

    accuracy: float
    interval: tuple[float, float]
    n: int


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of messages and accuracies. `kept` counts only the answers that were kept, the others all rows.

    `random` is the expectation of passing on the same share of messages drawn blindly.
    """

    small: Share
    larger: Share
    cascade: Share
    random: Share
    kept: Share
    kept_small: float
    kept_larger: float
    left: float


def worth(outcomes: Sequence[Outcome]) -> Worth:
    """Measure. Raises ValueError for no outcomes."""
    if not outcomes:
        raise ValueError("no outcomes")
    n = len(outcomes)
    by_small = sum(o.kept_by == "small" for o in outcomes)
    by_larger = sum(o.kept_by == "larger" for o in outcomes)
    small, larger = (_right(outcomes, lambda o: o.small_right), _right(outcomes, lambda o: o.larger_right))
    blind = (by_small * small + (n - by_small) * larger) / n
    kept = [o for o in outcomes if o.kept_by != "left"]
    return Worth(
        small=share(small, n),
        larger=share(larger, n),
        cascade=share(_right(outcomes, _cascade_right), n),
        random=share(blind, n),
        kept=share(_right(kept, _cascade_right), len(kept)),
        kept_small=by_small / n,
        kept_larger=by_larger / n,
        left=(n - by_small - by_larger) / n,
    )


def share(right: float, n: int) -> Share:
    """Return right out of n with its interval; with nothing to count the interval is everything."""
    if n == 0:
        return Share(accuracy=0.0, interval=(0.0, 1.0), n=0)
    return Share(accuracy=right / n, interval=wilson(right, n), n=n)


def _cascade_right(outcome: Outcome) -> bool:
    return outcome.small_right if outcome.kept_by == "small" else outcome.larger_right


def _right(outcomes: Sequence[Outcome], of: Callable[[Outcome], bool]) -> int:
    return sum(map(of, outcomes))
