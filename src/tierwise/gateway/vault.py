"""Which placeholders does this session use? Kept in memory only, for as long as the session is alive.

Lost (by age, size or a restart), the session's next turn gets other placeholders, and nothing else is lost.
Invariant: a session's values are found only with its key and name; they are never written anywhere.
"""

import os
from collections import OrderedDict
from collections.abc import Callable

from tierwise.policy.pseudonyms import Pseudonyms, tag_of

MAX_AGE_S = 4 * 3600.0
"""Since the session was last heard of."""
MAX_SESSIONS = 10_000
MAX_CHARS = 32 * 1024 * 1024


class Vault:
    """Pseudonyms by key and session; the longest unused are forgotten beyond the limits."""

    def __init__(
        self, *, max_chars: int = MAX_CHARS, max_age_s: float = MAX_AGE_S, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._max_chars, self._max_age_s, self._random = max_chars, max_age_s, random
        self._kept: OrderedDict[tuple[str | None, str], tuple[float, Pseudonyms]] = OrderedDict()

    def of(self, key_id: str | None, session: str, now: float) -> Pseudonyms:
        """Return the session's pseudonyms; `now` is monotonic, in seconds."""
        place = (key_id, session)
        at, found = self._kept.get(place, (now, None))
        if found is None or now - at > self._max_age_s:
            found = Pseudonyms(tag_of(self._random(6)))
        self._kept[place] = (now, found)
        self._kept.move_to_end(place)
        self._forget(now)
        return found

    def _forget(self, now: float) -> None:
        weight = sum(pseudonyms.weight_chars for _, pseudonyms in self._kept.values())
        while len(self._kept) > 1:
            oldest, (at, pseudonyms) = next(iter(self._kept.items()))
            if len(self._kept) <= MAX_SESSIONS and weight <= self._max_chars and now - at <= self._max_age_s:
                return
            weight -= pseudonyms.weight_chars
            del self._kept[oldest]

    def __len__(self) -> int:
        return len(self._kept)
