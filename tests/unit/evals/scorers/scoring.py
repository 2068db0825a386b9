"""What the tests of scorers share: an item, and a score in one line."""

from pathlib import Path
from typing import Any

from tierwise.evals.item import Item
from tierwise.evals.scorers.score import Score
from tierwise.evals.scorers.spec import scorer


def item(reference: Any = None, **fields: Any) -> Item:
    """Make an item."""
    return Item(id="i", fields=fields, reference=reference, cluster="i", split="prove")


def score(spec: str, text: str, reference: Any = None, base: Path = Path(), **fields: Any) -> Score:
    """Score one answer."""
    return scorer(spec, base).score(text, reference, item(reference, **fields))
