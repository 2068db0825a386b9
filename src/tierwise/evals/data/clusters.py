"""Which items belong together? Those of one document, customer or template; else those that say nearly the same.

Invariant: items that share a name given in the file are one cluster, over as many steps as it takes; an item without
such a name goes by its text.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tierwise.evals.data.near import Groups, near

LEAST_TEMPLATE_LETTERS = 20
"""A text that has so many letters besides its digits is the same template whatever the digits are."""
_DIGITS = re.compile(r"\d+")


def told(fields: Mapping[str, Any]) -> str:
    """Return the words of an item: of a recorded conversation what its user said, else every text in it."""
    messages = fields.get("messages")
    if isinstance(messages, list):
        return "\n".join(_texts([one.get("content") for one in messages if isinstance(one, dict) and _asks(one)]))
    return "\n".join(_texts(list(fields.values())))


def _asks(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "user"


def _texts(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for one in value for text in _texts(one)]
        case dict():
            return [text for one in value.values() for text in _texts(one)]
        case None | bool():
            return []
        case _:
            return [str(value)]


def key(text: str) -> str:
    """Return a text without regard to case and white space."""
    return " ".join(text.split()).casefold()


def template(text: str) -> str:
    """Return what is left of a key when its numbers may be any."""
    rest = _DIGITS.sub("0", text)
    return rest if sum(map(str.isalpha, rest)) >= LEAST_TEMPLATE_LETTERS else text


def clusters(named: Sequence[Mapping[str, str]], texts: Sequence[str]) -> list[str]:
    """Return the name of each item's cluster. `named` are the values of each item by their column, `texts` its words.

    A `cluster` rules alone; of other columns, all that are shared join.
    """
    found = [_ruling(one) for one in named]
    bare = [at for at, one in enumerate(found) if not one]
    for at, name in zip(bare, by_text([texts[at] for at in bare]), strict=True):
        found[at] = {"text": name}
    groups, first = Groups(len(found)), dict[tuple[str, str], int]()
    for at, one in enumerate(found):
        for token in one.items():
            groups.join(first.setdefault(token, at), at)
    names: dict[int, str] = {}
    for at, one in enumerate(found):
        root = groups.root(at)
        least = min(_name(column, value) for column, value in one.items())
        names[root] = min(names.get(root, least), least)
    return [names[groups.root(at)] for at in range(len(found))]


def by_text(texts: Sequence[str]) -> list[str]:
    """Return a name for each text, which near ones and those of one template share."""
    keys = [template(key(text)) for text in texts]
    different = sorted(set(keys))
    groups = near(different)
    places = {one: different[groups.root(at)] for at, one in enumerate(different)}
    return [hashlib.sha256(places[one].encode("utf-8", "surrogatepass")).hexdigest()[:16] for one in keys]


def _ruling(named: Mapping[str, str]) -> dict[str, str]:
    return {"cluster": named["cluster"]} if "cluster" in named else dict(named)


def _name(column: str, value: str) -> str:
    return value if column == "cluster" else f"{column}:{value}"
