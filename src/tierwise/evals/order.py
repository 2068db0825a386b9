"""In which order is everybody asked everything? Interleaved, so that time of day and load fall on all subjects alike.

Pure: the same seed gives the same order. Invariant: item, subject and repeat make a call distinct, and no two calls
are the same; so nothing that remembers calls can serve one repeat for another.
"""

import hashlib
from collections.abc import Iterator, Sequence

from tierwise.evals.answers import Key
from tierwise.evals.item import Item, Split

ASKED: tuple[Split, ...] = ("tune", "prove")
"""What may shape a prompt or a model is not asked."""


def chosen(items: Sequence[Item], limit: int | None, seed: int) -> tuple[Item, ...]:
    """Return the items to ask, in an order of their own; a smaller limit takes the first of a larger one's."""
    found = sorted((one for one in items if one.split in ASKED), key=lambda one: _hash(f"{seed}", one.id))
    return tuple(found[:limit])


def order(items: Sequence[Item], subjects: Sequence[str], repeats: int) -> Iterator[Key]:
    """Give every call: all subjects for one item, each first as often as any other."""
    for repeat in range(repeats):
        for place, item in enumerate(items):
            first = (place + repeat) % len(subjects)
            for subject in (*subjects[first:], *subjects[:first]):
                yield item.id, subject, repeat


def session_of(run: str, key: Key) -> str:
    """Return the session that a call is made in: its name in the ledger, known before it is made."""
    item, subject, repeat = key
    return f"compare:{run}:{_hash(subject, item, str(repeat))[:24]}"


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
