"""Is it the same number? `numeric`, or with a tolerance: `numeric:0.01` (absolute), `numeric:1%` (of the reference).

The last number of an answer is the one that counts. Groups of three digits behind commas, points,
apostrophes or narrow spaces are thousands; else a comma or a point is a decimal one.
"""

import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from tierwise.core.errors import ConfigError
from tierwise.evals.item import Item
from tierwise.evals.scorers.score import Score, Scorer, Simple, unparsed, valued

_NUMBER = re.compile(
    r"(?<![\w.,])[-+−]?(?:\d{1,3}(?:([,.'’\u00a0\u202f])\d{3})(?:\1\d{3})*(?:[.,]\d+)?|\d+(?:[.,]\d+)?)"
    r"(?:[eE][-+]?\d{1,3})?(?!\d)"
)
MAX_CHARS = 100_000


def numeric(spec: str, rest: str, _base: Path) -> Scorer:
    """Make the scorer."""
    share = rest.endswith("%")
    try:
        tolerance = Decimal(rest.removesuffix("%") or "0") / (100 if share else 1)
    except InvalidOperation:
        tolerance = Decimal("nan")
    if not tolerance.is_finite() or tolerance < 0:
        raise ConfigError(f"scorer {spec!r}: a tolerance is a number or a percentage, such as numeric:1%", key="scorer")

    def function(text: str, reference: Any, _item: Item) -> Score:
        said, right = last_number(text), last_number(str(reference))
        if right is None:
            raise ValueError("the reference is no number")
        if said is None:
            return unparsed("there is no number in the answer")
        return valued(abs(said - right) <= (abs(right) * tolerance if share else tolerance))

    return Simple(spec, "accuracy", function)


def last_number(text: str) -> Decimal | None:
    """Return the last number that a text says, None for none."""
    found = list(_NUMBER.finditer(text[-MAX_CHARS:]))
    return _read(found[-1]) if found else None


def _read(found: re.Match[str]) -> Decimal | None:
    text = found[0].replace("−", "-")
    separator = found[1]
    # One group of three behind a point is a fraction in most of what models write; behind a comma it is thousands.
    if separator == "." and text.count(".") == 1 and "," not in text:
        separator = None
    text = (text if separator is None else text.replace(separator, "")).replace(",", ".")
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
