"""How long does a call wait for its turn? Each endpoint answers so many at once, first come, first served.

A discrete-event model: arrivals and the time for each answer are those on record. The waiting that is in a recorded
time is taken out of it first: who came first began first, so that the k-th to begin of c at once began when it came, or
when the (k - c)-th had ended.
Invariant: the same arrivals on the same capacity wait as they did on record.
"""

import heapq
from collections.abc import Mapping, Sequence

import msgspec

from tierwise.drill.traffic import Call


class Seen(msgspec.Struct, frozen=True):
    """One recorded attempt without its waiting; None: never told."""

    waited_us: int
    takes_us: int | None
    first_us: int | None


def recovered(calls: Sequence[Call], slots: Mapping[str, int]) -> dict[tuple[int, int], Seen]:
    """Return each attempt (place of its call, place in the call) as it would have been without any waiting."""
    by_endpoint: dict[str, list[tuple[int, int, int]]] = {}
    for at, call in enumerate(calls):
        for place, one in enumerate(call.tries):
            by_endpoint.setdefault(one.endpoint, []).append((call.at_us + one.starts_us, at, place))
    found: dict[tuple[int, int], Seen] = {}
    for endpoint, begun in by_endpoint.items():
        begun.sort()
        tries = [calls[at].tries[place] for _, at, place in begun]
        ends = sorted(start + (one.took_us or 0) for (start, _, _), one in zip(begun, tries, strict=True))
        at_once = slots.get(endpoint, 0) or len(begun)
        for k, ((start, at, place), one) in enumerate(zip(begun, tries, strict=True)):
            free = ends[k - at_once] if k >= at_once else start
            most = one.took_us if one.first_us is None else one.first_us
            waited = max(0, min(free - start, most or 0))
            found[at, place] = Seen(
                waited,
                None if one.took_us is None else one.took_us - waited,
                None if one.first_us is None else one.first_us - waited,
            )
    return found


class Line:
    """The queue in front of one endpoint. `slots` None: nobody ever waits. `most` were answered at once."""

    __slots__ = ("_ends", "_free", "busy_us", "longest_us", "most", "slots", "waited")

    def __init__(self, slots: int | None) -> None:
        self.slots = slots
        self._free = [0] * (slots or 0)
        self._ends: list[int] = []
        self.busy_us = self.longest_us = self.most = self.waited = 0

    def wait_us(self, now_us: int) -> int:
        """Return how long who comes now waits; calls have to come in the order of time."""
        return max(0, self._free[0] - now_us) if self._free else 0

    def take(self, now_us: int, takes_us: int) -> int:
        """Take a turn and return when it ends."""
        wait = self.wait_us(now_us)
        end = now_us + wait + takes_us
        if self._free:
            heapq.heapreplace(self._free, end)
        while self._ends and self._ends[0] <= now_us + wait:
            heapq.heappop(self._ends)
        heapq.heappush(self._ends, end)
        self.most = max(self.most, len(self._ends))
        self.busy_us += takes_us
        self.waited += wait > 0
        self.longest_us = max(self.longest_us, wait)
        return end
