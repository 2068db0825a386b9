"""What does a model take that its elders or its heirs do not? Read from the name under which it is served.

Source: Anthropic's published guides (adaptive thinking, effort, what is new in 4.6, 4.7 and 5; read 2026-11).
Knows nothing of models of other makers on this wire: they are taken to be like the elders.
"""

import re

Version = tuple[int, int]

ONE_SAMPLER: Version = (4, 1)
"""From here on temperature and top_p are refused together."""
ADAPTIVE: Version = (4, 6)
"""From here on the model decides how much to think, within an effort; a budget is soon refused."""
NO_SAMPLING: Version = (4, 7)
"""From here on temperature, top_p and top_k are refused, and there is the effort `xhigh`."""
THINKS_UNASKED: Version = (5, 0)
"""From here on models think unless they are told not to."""

_NAME = re.compile(r"claude-[a-z]+-(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_ALWAYS = re.compile(r"claude-(?:fable|mythos)")


def version_of(served_name: str) -> Version:
    """Return a version to compare with those above; (0, 0) where the name does not tell one."""
    found = _NAME.search(served_name.lower())
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def thinks_always(served_name: str) -> bool:
    """True for models that refuse to be told not to think."""
    return _ALWAYS.search(served_name.lower()) is not None
