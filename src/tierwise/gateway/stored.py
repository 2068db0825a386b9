"""What was answered before, for callers who build on it? Responses kept in memory, each with the label it carries.

Content is not written to disk: a restart forgets it, and so do age and size. Knows no wire: items are bytes.
Invariant: a response is found only with the key that asked for it, and never without its label.
"""

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from tierwise.core.label import Label

MAX_BYTES = 64 * 1024 * 1024
MAX_AGE_S = 24 * 3600.0


class StoredResponse(msgspec.Struct, frozen=True, kw_only=True):
    """One answer and all that led to it. `items` are input and output in order; `own` the output by item id."""

    body: bytes
    items: tuple[bytes, ...]
    own: Mapping[str, bytes]
    label: Label
    at: float

    @property
    def size_bytes(self) -> int:
        """What it weighs; items that an earlier answer shares are counted again, so the limit is a safe one."""
        return len(self.body) + sum(map(len, self.items))


class Stored:
    """Responses by key and id, the oldest forgotten first. `now` is monotonic, in seconds."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_age_s: float = MAX_AGE_S) -> None:
        self._max_bytes, self._max_age_s = max_bytes, max_age_s
        self._kept: OrderedDict[tuple[str | None, str], StoredResponse] = OrderedDict()
        self._items: dict[tuple[str | None, str], tuple[str, bytes]] = {}
        self._bytes = 0

    @property
    def held_bytes(self) -> int:
        """What all of it weighs."""
        return self._bytes

    def keep(self, key_id: str | None, ident: str, response: StoredResponse) -> None:
        """Keep a response, unless it alone is over the limit; the oldest go for it, and those too old by its time."""
        self.forget(key_id, ident)
        if response.size_bytes > self._max_bytes:
            return
        self._kept[(key_id, ident)] = response
        self._bytes += response.size_bytes
        for name, item in response.own.items():
            self._items[(key_id, name)] = (ident, item)
        while self._bytes > self._max_bytes or response.at - self._oldest.at > self._max_age_s:
            self.forget(*next(iter(self._kept)))

    @property
    def _oldest(self) -> StoredResponse:
        return next(iter(self._kept.values()))

    def get(self, key_id: str | None, ident: str, now: float) -> StoredResponse | None:
        """Return a response that is not too old."""
        found = self._kept.get((key_id, ident))
        if found is not None and now - found.at > self._max_age_s:
            self.forget(key_id, ident)
            return None
        return found

    def item(self, key_id: str | None, name: str, now: float) -> tuple[bytes, Label] | None:
        """Return an output item by its own id, with the label of its response."""
        place = self._items.get((key_id, name))
        found = self.get(key_id, place[0], now) if place else None
        return (place[1], found.label) if place and found else None

    def forget(self, key_id: str | None, ident: str) -> bool:
        """Delete a response; say whether there was one."""
        found = self._kept.pop((key_id, ident), None)
        if found is None:
            return False
        self._bytes -= found.size_bytes
        for name in found.own:
            if self._items.get((key_id, name), ("",))[0] == ident:
                del self._items[(key_id, name)]
        return True
