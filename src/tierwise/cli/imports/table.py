"""Which keys of the source were understood? A table that remembers what was taken from it.

Invariant: every key is given out by a reader of its type, or by `left`; none disappears.
"""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from tierwise.cli.imports.source import Path, Source

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Table:
    """One table of the source. Readers take the first of several names that is there, and None means: not said."""

    def __init__(self, source: Source, path: Path, value: Any) -> None:
        if not isinstance(value, dict):
            raise source.wrong(path, f"must be a table of keys and values, not {_kind(value)}")
        self._source, self._path, self._value = source, path, value
        self._taken: set[str] = set()
        self._inner: list[Table] = []

    @classmethod
    def whole(cls, source: Source) -> "Table":
        """Return the file itself."""
        return cls(source, (), source.value)

    @property
    def place(self) -> str:
        """Say where this table stands."""
        return self._source.place(self._path)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the keys, in order."""
        return tuple(self._value)

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    def wrong(self, name: str, message: str) -> Exception:
        """Return the error for one of the values."""
        return self._source.wrong((*self._path, name), message)

    def take(self, *names: str) -> Any:
        """Return whatever stands there."""
        self._taken.update(names)
        return next((self._value[name] for name in names if self._value.get(name) is not None), None)

    def _named(self, *names: str) -> str:
        return next((name for name in names if name in self), names[0])

    def text(self, *names: str) -> str | None:
        """Return text; a number counts as its digits."""
        found = self.take(*names)
        if isinstance(found, bool) or not isinstance(found, str | int | float | None):
            raise self.wrong(self._named(*names), f"must be text, not {_kind(found)}")
        return None if found is None else str(found).strip()

    def must(self, name: str, what: str) -> str:
        """Return text that has to be there and not be empty."""
        found = self.text(name)
        if not found:
            raise self._source.wrong(self._path, f"needs {name}: {what}")
        return found

    def number(self, *names: str) -> Decimal | None:
        """Return a number that is not negative."""
        found = self.take(*names)
        if found is None:
            return None
        try:
            number = None if isinstance(found, bool | dict | list) else Decimal(str(found))
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite() or number < 0 or abs(number.adjusted()) > 30:
            raise self.wrong(self._named(*names), "must be a number, 0 or more")
        return number

    def count(self, *names: str) -> int | None:
        """Return a whole number; fractions are cut off."""
        found = self.number(*names)
        return None if found is None else int(found)

    def flag(self, *names: str) -> bool | None:
        """Return yes or no."""
        found = self.take(*names)
        word = str(found).lower()
        if found is not None and word not in (*_TRUE, *_FALSE):
            raise self.wrong(self._named(*names), "must be true or false")
        return None if found is None else word in _TRUE

    def texts(self, *names: str) -> list[str]:
        """Return a list of words; one word counts as a list of it."""
        found = self.take(*names)
        listed = [] if found is None else found if isinstance(found, list) else [found]
        if not all(isinstance(item, str) for item in listed):
            raise self.wrong(self._named(*names), "must be a list of names")
        return listed

    def table(self, *names: str) -> "Table | None":
        """Return a table inside; it is understood key by key."""
        name, found = self._named(*names), self.take(*names)
        return None if found is None else self._open((*self._path, name), found)

    def tables(self, *names: str) -> "list[Table]":
        """Return a list of tables inside."""
        name, found = self._named(*names), self.take(*names)
        if not isinstance(found, list | None):
            raise self.wrong(name, f"must be a list, not {_kind(found)}")
        return [self._open((*self._path, name, place), item) for place, item in enumerate(found or [])]

    def each(self) -> "Iterator[tuple[str, Table]]":
        """Return every value as a table, by its key."""
        for name in self._value:
            found = self.table(name)
            if found is not None:
                yield name, found

    def _open(self, path: Path, value: Any) -> "Table":
        inner = Table(self._source, path, value)
        self._inner.append(inner)
        return inner

    def left(self) -> Iterator[tuple[str, str]]:
        """Give out every key that nobody took, here and inside, as its name and its place; it counts as taken then."""
        for name, value in self._value.items():
            if name not in self._taken and value is not None:
                yield name, self._source.place((*self._path, name))
        self._taken.update(self._value)
        for inner in self._inner:
            yield from inner.left()


def _kind(value: Any) -> str:
    names = {dict: "a table", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")
