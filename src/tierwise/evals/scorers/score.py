"""What does a scorer say? A `Score` between 0 and 1, or why there is none.

Invariant: no score is None, never 0; a number that is none (NaN) is no score.
"""

from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec

from tierwise.evals.item import Item

Problem = Literal["unparsed", "scorer_failed"]
MAX_WHY_CHARS = 200


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """`details` are further scores, of fields or of parts. `problem` says whose fault a missing value is."""

    value: float | None
    details: dict[str, float | None] = {}
    problem: Problem | None = None
    why: str = ""


def unparsed(why: str) -> Score:
    """Say that the answer has not the form that could be judged."""
    return Score(value=None, problem="unparsed", why=why[:MAX_WHY_CHARS])


def failed(why: str) -> Score:
    """Say that the scorer could not judge, which says nothing about the answer."""
    return Score(value=None, problem="scorer_failed", why=why[:MAX_WHY_CHARS])


def valued(value: object, details: dict[str, float | None] | None = None) -> Score:
    """Return the score of a number between 0 and 1, or of a truth; `failed` for anything else, NaN too."""
    if not isinstance(value, int | float) or not 0 <= value <= 1:  # NaN is neither
        return failed(f"{str(value)[:40]!r} is no score: a number from 0 to 1 is")
    return Score(value=float(value), details=details or {})


class Scorer(Protocol):
    """What calls an answer right. `metric` names the score for people."""

    @property
    def spec(self) -> str:
        """What it was made of."""

    @property
    def metric(self) -> str:
        """What its scores are called."""

    @property
    def needs_reference(self) -> bool:
        """Say whether it compares with what is right."""

    def score(self, text: str, reference: Any, item: Item) -> Score:
        """Judge one answer; raises nothing."""

    def close(self) -> None:
        """End what it keeps running."""


Function = Callable[[str, Any, Item], Score]


class Simple:
    """A scorer of one function. What that raises is `scorer_failed`."""

    needs_reference: bool

    def __init__(self, spec: str, metric: str, function: Function, *, needs_reference: bool = True) -> None:
        self.spec, self.metric, self.needs_reference, self._function = spec, metric, needs_reference, function

    def score(self, text: str, reference: Any, item: Item) -> Score:
        """Judge one answer."""
        if self.needs_reference and reference is None:
            return failed("the item says nothing of what is right")
        try:
            return self._function(text, reference, item)
        except Exception as error:  # whatever a reference holds, no answer is lost for it
            return failed(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Keep nothing running."""
