"""What does a model take that its elders or its heirs do not? Read from the name under which it is served.

Source: Anthropic's published guides (adaptive thinking, effort, what is new in 4.6, 4.7, 5 and 5.5, models overview and
the pages of the models that are no longer sold; read 2026-11).
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

_NAME = re.compile(
    r"claude-(?:(?P<family>[a-z]+)-)?(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d)(?:-(?P<behind>[a-z]+))?"
)
"""The family stands before the number, up to 3.7 behind it."""
_ALWAYS_THINK: dict[str, Version] = {"fable": (0, 0), "mythos": (0, 0), "opus": (5, 5)}
_MOST_OUTPUT: tuple[tuple[Version, int], ...] = (
    ((4, 6), 128_000),
    ((4, 5), 64_000),
    ((3, 7), 64_000),
    ((3, 5), 8_192),
    ((3, 0), 4_096),
)
"""Tokens of an answer at most, from a version on."""
_MOST_OUTPUT_OF_OPUS_4 = 32_000
_NO_VERSION: Version = (0, 0)


def version_of(served_name: str) -> Version:
    """Return a version to compare with those above; (0, 0) where the name does not tell one."""
    return _read(served_name)[1]


def thinks_always(served_name: str) -> bool:
    """True for models that refuse to be told not to think, and with that to be forced to call a tool."""
    family, version = _read(served_name)
    return family in _ALWAYS_THINK and version >= _ALWAYS_THINK[family]


def most_output_tokens(served_name: str) -> int | None:
    """Return the longest answer that the model's maker lets it give, thinking included; None for a name unknown."""
    family, version = _read(served_name)
    if family == "opus" and (4, 0) <= version < (4, 5):
        return _MOST_OUTPUT_OF_OPUS_4
    return next((tokens for since, tokens in _MOST_OUTPUT if version >= since), None)


def _read(served_name: str) -> tuple[str, Version]:
    name = served_name.lower()
    found = _NAME.search(name)
    if found is None:
        family = next((family for family in _ALWAYS_THINK if f"claude-{family}" in name), "")
        return family, _NO_VERSION
    return found["family"] or found["behind"] or "", (int(found["major"]), int(found["minor"] or 0))
