"""Do confidences still lie as they did when a workflow was certified? Compares accepted answers with the certificate.

Called for every call, so that only puts a confidence aside; they are compared when somebody looks. Knows no incidents:
it names what drifted, and is told which of that is still open. Invariant: what waits here is bounded; while nothing
changes, the chance that a certificate is ever called drifted is at most LEVEL, however often one looks.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from tierwise.core.certificate import Certificate
from tierwise.core.decision import Decision
from tierwise.core.errors import Verdict
from tierwise.gateway.certified import Certified, accepting
from tierwise.statistics.drift import LEVEL, Ranks, won_enough

WINDOW = 1_000
"""After so many answers the comparison begins anew, with a stricter level each time: all of them add up to LEVEL."""
MOST_WAITING = 200
"""Between two looks no more are compared: which ones come first says nothing of how sure they are."""
LEAST_REFERENCE = 30
"""Fewer accepted answers than that say too little of how they lay."""


class InForce(Protocol):
    """Which certificates there are."""

    @property
    def certified(self) -> dict[str, Certified]:
        """Return them by workflow."""


class Marked(Protocol):
    """Where it is kept what has drifted."""

    drifted: frozenset[str]


class _Seen:
    """The confidences of one step since the certificate was first seen here, window by window."""

    def __init__(self) -> None:
        self.waiting: list[float] = []
        self._ranks: Ranks | None = None
        self._window = 0

    def alarm(self, reference: tuple[float, ...], level: float) -> bool:
        """Compare what is new."""
        found, waiting, self.waiting = False, self.waiting, []
        for value in waiting:
            if self._ranks is None or self._ranks.n >= WINDOW:
                self._ranks, self._window = Ranks(reference), self._window + 1
            found |= won_enough(self._ranks.add(value), level / (self._window * (self._window + 1)))
        return found


class Drifting:
    """Follows the certified steps of one gateway. One event loop owns it."""

    def __init__(self, in_force: Callable[[], InForce], marked: Marked, open_now: Collection[str] = ()) -> None:
        """`open_now` are subjects of which an incident is open already."""
        self._in_force, self._marked = in_force, marked
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._stored: dict[str, bool] = {}
        self._ids: dict[str, str] = {}
        self.open_now(open_now)

    def finished(self, decision: Decision) -> None:
        """Put aside how sure the accepted answer of a certified step was."""
        record, last = decision.certificate, decision.attempts[-1] if decision.attempts else None
        if not record or not record.valid or last is None or last.confidence is None:
            return
        known = self._in_force().certified.get(decision.workflow or "")
        if known is None or known.certificate is None or known.digest != record.digest:
            return
        if not _as_certified(decision, known.certificate):
            return
        seen = self._seen.setdefault((known.subject, last.model), _Seen())
        if len(seen.waiting) < MOST_WAITING:
            seen.waiting.append(last.confidence)
            self._ids[known.subject] = decision.id

    def look(self) -> Iterator[tuple[str, str]]:
        """Compare what came since the last time; yield each certificate that drifts now, and the newest call."""
        known = {one.subject: one.certificate for one in self._in_force().certified.values()}
        for (subject, model), seen in list(self._seen.items()):
            certificate = known.get(subject)
            if certificate is None:  # another one has taken its place
                del self._seen[subject, model]
            elif subject not in self._stored and seen.alarm(
                certificate.reference[model], LEVEL / len(certificate.reference)
            ):
                self._stored[subject] = False
                self._mark()
                yield subject, self._ids[subject]

    def waiting(self) -> dict[tuple[str, str], int]:
        """Return how many confidences wait to be compared, by subject and model."""
        return {place: len(seen.waiting) for place, seen in self._seen.items()}

    def open_now(self, subjects: Collection[str]) -> None:
        """Take up which incidents of drift are open; one that was closed lets its certificate count again."""
        closed = [subject for subject, stored in self._stored.items() if stored and subject not in subjects]
        for subject in closed:
            del self._stored[subject]
            for place in [place for place in self._seen if place[0] == subject]:
                del self._seen[place]
        self._stored |= dict.fromkeys(subjects, True)
        self._mark()

    def _mark(self) -> None:
        self._marked.drifted = frozenset(self._stored)


def _as_certified(decision: Decision, certificate: Certificate) -> bool:
    """Say whether the answer was accepted as those were that the certificate was issued for.

    It answered after every step before it had been asked and was not sure enough: what comes to it where one of them
    is down, or where the caller names it, is other traffic.
    """
    last = decision.attempts[-1]
    if decision.strategy == "pinned" or decision.outcome == "flagged" or last.verdict != Verdict.OK:
        return False
    if len(certificate.reference.get(last.model, ())) < LEAST_REFERENCE:
        return False
    passed_on = {one.model for one in decision.attempts if one.gate is not None and one.gate.verdict == "fail"}
    steps = [one.model for one in accepting(certificate)]
    return last.model in steps and set(steps[: steps.index(last.model)]) <= passed_on
