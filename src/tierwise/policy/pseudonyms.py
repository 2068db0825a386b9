"""What stands for a sensitive value outside, and how does the value come back into the answer?

Does not know what is sensitive, nor wires, sessions or time. A placeholder reads `CARD_1_7QK2MX`: letters, digits and
underscores survive JSON, Markdown, URLs, shells and tool names unescaped, the word tells the model what it is, and
the end, random per session, is what nobody else's text has. State: the values of one session, in memory.
Invariant: restoring what was masked gives the text back, however it is split; a placeholder never begins in another.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b

MAX_VALUES = 1024
"""Values of one session; with more a request is not masked."""
LEAST_LITERAL = 6
"""A value of so many characters is replaced wherever it stands; a shorter one where it was found."""
TAG_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
Span = tuple[int, int, str]
"""Where a value begins, where it ends, and what kind of thing it is."""


class TooManyValues(Exception):
    """The session holds as many values as it may."""


class Pseudonyms:
    """The values of one session by placeholder, and the seals that were made under these placeholders."""

    __slots__ = ("_literal", "_prefixes", "_seals", "_session", "names", "originals", "tag", "weight_chars")

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.names: dict[str, str] = {}
        self.originals: dict[str, str] = {}
        self.weight_chars = 0
        self._prefixes: set[str] = set()
        self._literal: tuple[int, re.Pattern[str] | None] = (0, None)
        self._seals: set[bytes] = set()
        self._session: Pseudonyms | None = None

    def only(self, names: Iterable[str]) -> "Pseudonyms":
        """Return these placeholders alone, to restore with. Seals go to the session as ever."""
        part = Pseudonyms(self.tag)
        part._session = self
        for name in names:
            part._add(name, self.originals[name])
        return part

    def name(self, kind: str, value: str) -> str:
        """Return the placeholder of a value; the same one every time. Raises TooManyValues."""
        found = self.names.get(value)
        if found is None:
            if len(self.names) >= MAX_VALUES:
                raise TooManyValues
            found = f"{kind}_{len(self.names) + 1}_{self.tag}"
            self._add(found, value)
        return found

    def _add(self, name: str, value: str) -> None:
        self.names[value], self.originals[name] = name, value
        self.weight_chars += len(value) + 200
        self._prefixes.update(name[:end] for end in range(1, len(name)))

    def known_in(self, text: str) -> list[Span]:
        """Return where values of the session stand that need no detector any more, and where the text has our tag."""
        count, literal = self._literal
        if count != len(self.names):
            long = sorted((value for value in self.names if len(value) >= LEAST_LITERAL), key=len, reverse=True)
            literal = re.compile("|".join(map(re.escape, long))) if long else None
            self._literal = len(self.names), literal
        found = [(match.start(), match.end(), "VALUE") for match in literal.finditer(text)] if literal else []
        if self.tag in text:  # a placeholder that the caller sends himself is a value like any other
            found += [(match.start(), match.end(), "VALUE") for match in re.finditer(self.tag, text)]
        return found

    def masked(self, text: str, found: Iterable[Span], used: set[str] | None = None) -> str:
        """Return the text with each span replaced by its value's placeholder; spans that touch are one value.

        The placeholders go into `used`.
        """
        pieces: list[str] = []
        kept = 0
        for start, end, kind in joined(found):
            name = self.name(kind, text[start:end])
            pieces += (text[kept:start], name)
            kept = end
            if used is not None:
                used.add(name)
        return "".join((*pieces, text[kept:]))

    def restored(self, text: str, spell: Callable[[str], str] = str) -> str:
        """Return a whole text with the values back in it, each as `spell` writes it."""
        if self.tag not in text:
            return text
        restorer = Restorer(self, spell)
        return restorer.feed(text) + restorer.finish()

    def without(self, text: str, instead: str) -> str:
        """Return the text with something else in place of each placeholder."""
        for name in self.originals if self.tag in text else ():
            text = text.replace(name, instead)
        return text

    def held_back(self, text: str) -> int:
        """Return how many characters at the end could be the beginning of a placeholder."""
        longest = min(len(text), max(map(len, self.originals), default=0) - 1)
        return next((size for size in range(longest, 0, -1) if text[-size:] in self._prefixes), 0)

    def remember_seal(self, endpoint: str, seal: str) -> None:
        """Keep that an endpoint has sealed this, having seen nothing but placeholders."""
        session = self._session or self
        session._seals.add(_digest(endpoint, seal))
        session.weight_chars += 100

    def knows_seal(self, endpoint: str, seal: str) -> bool:
        """Say whether an endpoint made this seal under these placeholders."""
        return _digest(endpoint, seal) in (self._session or self)._seals


class Restorer:
    """Puts values back into one text that comes in pieces. Holds back what could begin a placeholder, and no more."""

    __slots__ = ("_held", "_pseudonyms", "_spell")

    def __init__(self, pseudonyms: Pseudonyms, spell: Callable[[str], str] = str) -> None:
        self._pseudonyms, self._spell, self._held = pseudonyms, spell, ""

    def feed(self, text: str) -> str:
        """Return what is certain with this piece."""
        text = self._held + text
        out, text = self._whole(text) if self._pseudonyms.tag in text else ("", text)
        held = self._pseudonyms.held_back(text)
        self._held = text[len(text) - held :]
        return out + text[: len(text) - held]

    def finish(self) -> str:
        """Return what was held back after all; the restorer begins anew."""
        held, self._held = self._held, ""
        return held

    @property
    def holds(self) -> bool:
        """True while anything is held back."""
        return bool(self._held)

    def _whole(self, text: str) -> tuple[str, str]:
        """Return the text up to its last placeholder, values in it, and the rest."""
        tag, pieces, kept = self._pseudonyms.tag, list[str](), 0
        for end in (match.end() for match in re.finditer(tag, text)):
            name = self._ending(text, kept, end)
            if name is not None:
                pieces += (text[kept : end - len(name)], self._spell(self._pseudonyms.originals[name]))
                kept = end
        return "".join(pieces), text[kept:]

    def _ending(self, text: str, start: int, end: int) -> str | None:
        """Return the placeholder that ends here; numbers are used once, so there is one at most."""
        originals = self._pseudonyms.originals
        longest = max(map(len, originals), default=0)
        return next((text[at:end] for at in range(max(start, end - longest), end) if text[at:end] in originals), None)


def joined(found: Iterable[Span]) -> Sequence[Span]:
    """Return spans in order; those that overlap are one, named by the first that names it."""
    merged: list[Span] = []
    for start, end, kind in sorted(found, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            named = kind if before[2] == "VALUE" else before[2]
            merged[-1] = (before[0], max(before[1], end), named)
        else:
            merged.append((start, end, kind))
    return merged


def tag_of(random: bytes) -> str:
    """Make a session's tag of six random bytes; it begins with a digit, so that it is in no kind's name."""
    digits = TAG_ALPHABET[-8:]
    rest = "".join(TAG_ALPHABET[byte % len(TAG_ALPHABET)] for byte in random[1:6])
    return digits[random[0] % len(digits)] + rest


def kinds_from(names: Iterable[str], told: Iterable[str]) -> Mapping[str, str]:
    """Return what each detector's finds are called outside; only names in `told` are, others could tell a secret."""
    open_names = frozenset(told)
    return {name: _word(name) if name in open_names else "VALUE" for name in names}


def _word(name: str) -> str:
    return re.sub(r"[^A-Z]+", "_", name.upper()).strip("_") or "VALUE"


def _digest(endpoint: str, seal: str) -> bytes:
    return blake2b(f"{endpoint}\0{seal}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
