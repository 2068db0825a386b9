"""Which model holds this session, and how much of it has that model read?

Knows no labels: those stick to named sessions in `facts`. State of one process; lost, it is learned with the next turn.
Invariant: only a request that continues a conversation is looked up, so the same question asked twice is no session.
"""

from collections import OrderedDict
from hashlib import blake2b

import msgspec

from tierwise.core.call import Call
from tierwise.router.candidate import Held

MAX_SESSIONS = 50_000
"""About 350 bytes each: 17 MB at most."""
CACHE_S = 300.0
"""How long a prompt cache is counted on: the shortest lifetime that the big vendors promise (2026-11)."""
_CONTINUES = ("tool_call", "tool_result")


class _Known(msgspec.Struct, gc=False):
    model: str
    tokens: int
    bound: bool
    at: float


class Sessions:
    """Models by key and session. The least recently used is forgotten beyond the limit."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str | None, str], _Known] = OrderedDict()

    def held(self, call: Call, now: float) -> Held | None:
        """Return who holds the call's session; None for a new one."""
        if not any(part.role == "assistant" or part.kind in _CONTINUES for part in call.parts):
            return None
        known = self._known.get((call.key_id, session_of(call)))
        if known is None:
            return None
        return Held(model=known.model, tokens=known.tokens if now - known.at <= CACHE_S else 0, bound=known.bound)

    def served(self, call: Call, model: str, *, tokens: int, bound: bool, now: float) -> None:
        """Keep who answered. `tokens` it has read; `bound` says that the answer holds thinking only it can read."""
        place = (call.key_id, session_of(call))
        before = self._known.get(place)
        bound = bound or (before is not None and before.bound and before.model == model)
        self._known[place] = _Known(model, tokens, bound, now)
        self._known.move_to_end(place)
        if len(self._known) > MAX_SESSIONS:
            self._known.popitem(last=False)


def session_of(call: Call) -> str:
    """Return the session's name: the caller's, else one made of the conversation's head, which later turns repeat."""
    if call.hints.session is not None:
        return call.hints.session
    head = blake2b(digest_size=16)
    for part in call.parts:
        if part.kind == "text":
            head.update(f"{part.role}:{len(part.text)}:".encode())
            head.update(part.text.encode("utf-8", "surrogatepass"))
            if part.role == "user":
                break
    return "head:" + head.hexdigest()
