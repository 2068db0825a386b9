"""Is this JSON object whole? Told of text that comes in pieces, each of which is looked at once.

Knows no wire, and not whether the text is JSON: a reader does that when it is whole. Invariant: the work is
proportional to the text, however small its pieces are.
"""

import re

_TEXT = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


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
        if self._in_text:
            text = ('"\\' if self._escaped else '"') + text
        bare, cut, rest = _TEXT.sub("", text).partition('"')
        self._in_text = bool(cut)
        self._escaped = (len(rest) - len(rest.rstrip("\\"))) % 2 == 1
        opened = bare.count("{") + bare.count("[")
        self._depth += opened - bare.count("}") - bare.count("]")
        self._seen = self._seen or opened > 0
