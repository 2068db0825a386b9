"""Where is a policy that somebody pasted into a page? In memory; in a file of nobody else while a command reads it.

Knows no page. Invariant: a file lives as long as the command that reads it; what a stopped process left is deleted.
"""

import contextlib
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from tierwise.core.errors import InvalidCall

MOST_KEPT = 16
MAX_CHARS = 200_000


class Drafts:
    """Pasted texts by their names; the oldest are forgotten. `folder` is made anew."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts: OrderedDict[str, str] = OrderedDict()
        with contextlib.suppress(OSError):
            for left in folder.iterdir():
                left.unlink(missing_ok=True)

    def keep(self, text: str) -> str:
        """Keep a text, and return its name. Raises InvalidCall for one that is empty or too long."""
        if not text.strip() or len(text) > MAX_CHARS:
            raise InvalidCall(f"paste a configuration of 1 to {MAX_CHARS:,} characters")
        name = secrets.token_hex(8)
        self._texts[name] = text.replace("\r\n", "\n")
        while len(self._texts) > MOST_KEPT:
            self._texts.popitem(last=False)
        return name

    def text(self, name: str) -> str:
        """Return a text. Raises InvalidCall where it is forgotten."""
        found = self._texts.get(name)
        if found is None:
            raise InvalidCall("the pasted text is forgotten: paste it again", status=404)
        return found

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """Write a text into a file that only this person can read, until the block ends."""
        text = self.text(name)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"policy-{secrets.token_hex(6)}.toml"
        try:
            path.touch(mode=0o600, exist_ok=False)
            path.write_text(text, encoding="utf-8")
            yield path
        finally:
            path.unlink(missing_ok=True)
