"""How is a secret carried without being shown?

A `Secret` prints, formats, pickles and encodes as `***`; only `reveal` gives the text.
Invariant: no implicit conversion yields the text, so it cannot reach a log, an error or a record by accident.
"""

from typing import NoReturn

MASK = "***"


class Secret:
    """A key or password; `reveal()` is the only way to its text."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Return the text. Call it only where the bytes leave for the party that issued the secret."""
        return self.__text

    def __str__(self) -> str:
        return MASK

    __repr__ = __str__

    def __format__(self, _spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self.__text

    def __hash__(self) -> int:
        return hash(("Secret", self.__text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")
