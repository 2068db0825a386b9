"""Is this JSON object whole? Told of text that comes in pieces, each of which is looked at once.

Knows no wire, and not whether the text is JSON: a reader does that when it is whole. Invariant: the work is
proportional to the text, however small its pieces are.
"""

import re

_TELLING = re.compile(r'["\\{}\[\]]')
_IN_TEXT = re.compile(r'["\\]')


class Brackets:
    """Counts the brackets outside of strings."""

    __slots__ = ("_depth", "_escaped", "_in_text", "_seen")

    def __init__(self) -> None:
        self._depth = 0
        self._escaped = self._in_text = self._seen = False

    @property
    def closed(self) -> bool:
        """True once something was opened and all of it is closed again."""
        return self._seen and self._depth == 0 and not self._in_text

    def read(self, text: str) -> None:
        """Take the next piece."""
        place = 0
        if self._escaped and text:
            self._escaped, place = False, 1
        while found := (_IN_TEXT if self._in_text else _TELLING).search(text, place):
            place = found.end()
            match found[0]:
                case '"':
                    self._in_text = not self._in_text
                case "\\":
                    self._escaped = place == len(text)
                    place += 1
                case "{" | "[":
                    self._depth += 1
                    self._seen = True
                case _:
                    self._depth -= 1
