"""Which records were taken away on purpose? The signed statement that retention leaves behind.

A record that is deleted because of its age keeps its number and its leaf; the statement lists the numbers of all that
went, so that any other that is missing shows.
Invariant: ranges are ascending, apart from each other, and stand for exactly the numbers that were put in.
"""

from collections.abc import Iterable, Sequence

from tierwise.audit.notes import Signer, VerifierKey, text_of
from tierwise.core.errors import StoreError

Range = tuple[int, int]
"""From and to, both counted."""
_TITLE = "removed"


def added(ranges: Iterable[Range], numbers: Iterable[int]) -> list[Range]:
    """Return the ranges with these numbers too."""
    found: list[Range] = []
    for first, last in sorted([*ranges, *((number, number) for number in numbers)]):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def statement(signer: Signer, ranges: Iterable[Range]) -> str:
    """Return the signed note that these are gone."""
    told = ",".join(f"{first}-{last}" for first, last in ranges)
    return signer.sign(f"{signer.key.name}\n{_TITLE}\n{told}\n")


def stated(note: str | None, keys: Sequence[VerifierKey]) -> list[Range]:
    """Return the ranges of a statement that one of these keys has signed, none for no note. Raises StoreError."""
    if note is None:
        return []
    lines = text_of(note, keys).split("\n")
    try:
        if lines[1] != _TITLE:
            raise StoreError("the signed text does not say what was removed")
        pairs = [pair.split("-") for pair in lines[2].split(",")]
        return [(int(first), int(last)) for first, last in pairs]
    except (ValueError, IndexError):
        raise StoreError("the signed text does not say what was removed") from None
