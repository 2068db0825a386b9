"""Does it fit a pattern? `regex:PATTERN`, or `regex` where each item's reference is one.

RE2, so it ends in linear time. The pattern may stand anywhere in the answer; `^` and `$` bind it.
"""

from pathlib import Path
from typing import Any

import re2

from tierwise.core.errors import ConfigError
from tierwise.evals.item import Item
from tierwise.evals.scorers.score import Score, Scorer, Simple, valued
from tierwise.evals.scorers.text import texts


def regex(spec: str, rest: str, _base: Path) -> Scorer:
    """Make the scorer. ConfigError for a pattern that is none."""
    options = re2.Options()
    options.log_errors = False
    try:
        fixed = re2.compile(rest, options) if rest else None
    except re2.error as error:
        raise ConfigError(f"scorer {spec!r}: not a pattern of RE2: {error}", key="scorer") from error

    def function(text: str, reference: Any, _item: Item) -> Score:
        patterns = [fixed] if fixed is not None else [re2.compile(one, options) for one in texts(reference)]
        return valued(any(pattern.search(text.strip()) is not None for pattern in patterns))

    return Simple(spec, "accuracy", function, needs_reference=fixed is None)
